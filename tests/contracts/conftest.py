"""The checks of stores are no test modules, and yet their assertions should say what they compared."""

import pytest

pytest.register_assert_rewrite("tests.contracts.store")
