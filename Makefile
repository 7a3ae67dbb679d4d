# Headrace: `make demo` shows it at work, `make test` proves it.
# A bare machine needs Python 3.11 to 3.13 and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
TOOLS := .venv/tools
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# One more than there are cores, since many tests wait for a server; four at most, for each may hold a model.
WORKERS := $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) < 3 ? $$(getconf _NPROCESSORS_ONLN) + 1 : 4 )))

.DEFAULT_GOAL := help
.PHONY: pipelines scale ray bench-ray help install tools demo test check pythons bench bench-gpu bench-full faults readers soak smoke-qdrant smoke-pinecone smoke-embedder smoke-clip matrix lock clean server prefect-next kills soak-watch quality mteb finetune-bench made trees

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## make .venv and install what a user needs, as locked

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) -r requirements.lock
	$(PIP_INSTALL) --no-deps --editable .
	@touch $@

tools: $(TOOLS) ## add what tests, linters and benchmarks need, as locked

# Both files, so that pip sees to it that they fit each other.
$(TOOLS): $(INSTALLED) requirements-dev.lock
	$(PIP_INSTALL) -r requirements.lock -r requirements-dev.lock
	@touch $@

demo: install ## sync this repository into an embedded store, then search it
	$(BIN)/headrace sync config/examples/quickstart.yaml
	$(BIN)/headrace search config/examples/quickstart.yaml "what happens when a source suddenly lists nothing?" --limit 3

server: install ## a Prefect server and a worker on this machine, with examples registered; Ctrl-C ends both
	$(BIN)/python deploy/server.py

test: tools ## run the test suite
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: tools ## linters, type checkers, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

pythons: ## install the locks and run the tests' quick part on Python 3.11, 3.12 and 3.13
	$(PYTHON) -m tests.pythons

prefect-next: tools ## the tests that need Prefect, on its newest version 3, in an environment of its own
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venvs/prefect-next
	echo "prefect>=3.9,<4" > .venvs/prefect-next/override.txt
	VIRTUAL_ENV=.venvs/prefect-next $(BIN)/uv pip install --quiet --link-mode copy -r requirements.lock -r requirements-dev.lock \
		--override .venvs/prefect-next/override.txt --editable .
	.venvs/prefect-next/bin/python -m pytest -q -m prefect tests/flows

kills: tools ## kill runs and workers of a real Prefect server at 100 moments: the next run syncs; an hour
	KILLS=100 $(BIN)/python -m pytest -q -s tests/flows/test_dead_workers.py

bench: tools ## the table of what must be fast, as ratios in one run; minutes
	$(BIN)/python -m tests.benchmarks

scale: tools ## documents by the million in shards, hashed: DOCUMENTS="100000 1000000:8"; an hour, 10000000:64 takes a night
	$(BIN)/python -m tests.benchmarks.scale $(DOCUMENTS)

pipelines: tools ## 50 pipelines and 8 processes on one PostgreSQL server, undisturbed and with its connections cut; minutes
	$(BIN)/python -m tests.benchmarks.pipelines
	$(BIN)/python -m tests.benchmarks.pipelines --rounds 2 --cuts

bench-gpu: tools ## models of three usual shapes on this GPU, against their own forward pass; minutes
	$(BIN)/python -m tests.benchmarks.gpu $(ARGUMENTS)

finetune-bench: tools ## train on the collections of DATA=FOLDER and test on what was kept apart; half an hour
	@test -n "$(DATA)" || { echo "say where the collections are: make finetune-bench DATA=FOLDER"; exit 2; }
	$(BIN)/python -m tests.benchmarks.finetuning $(DATA)

bench-full: tools ## the same, and other systems beside ours in their own environments; an hour
	$(BIN)/python -m tests.benchmarks --long
	$(BIN)/python -m tests.benchmarks.peers

faults: tools ## more than 10,000 faults over every store, and 100,000 random faults of them; an hour
	FAULT_SECONDS=3600 HISTORIES=100000 KILLS=100 ROUNDS=250 REQUESTS=12000 $(BIN)/python -m pytest -n logical \
		tests/faults tests/tasks/embed/api/test_limits.py

made: tools ## read EXAMPLES=1000 made documents of each format, and SHAPES=500 hostile ones; half an hour
	MADE=$(or $(EXAMPLES),1000) SHAPES=$(or $(SHAPES),500) SEED=$$(date +%s) $(BIN)/python -m pytest -q tests/tasks/load/test_made.py tests/tasks/load/test_shapes.py

trees: tools ## words of pages in HTML below FOLDER=... as a browser shows them, against words of their chunks
	@test -n "$(FOLDER)" || { echo "say where the pages are: make trees FOLDER=docs/html"; exit 2; }
	$(BIN)/python -m tests.benchmarks.trees $(FOLDER)

readers: tools ## let LangChain's and LlamaIndex's own readers read our collections, in environments of their own
	@for name in langchain llamaindex langchain-tests; do \
		$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venvs/$$name && VIRTUAL_ENV=.venvs/$$name $(BIN)/uv pip install \
			--quiet --link-mode copy --compile-bytecode -r tests/readers/requirements/$$name.txt || exit 1; \
	done
	READERS=1 $(BIN)/python -m pytest tests/readers

ray: tools ## kill nodes of a Ray cluster in mid-run, and runs themselves, ROUNDS=20 times
	RAY=$(or $(ROUNDS),20) $(BIN)/python -m pytest tests/flows/test_ray.py tests/flows/test_ray_shards.py

bench-ray: tools ## a model on the Ray cluster at ADDRESS=host:port, or on two of this machine, beside the same model here
	$(BIN)/python -m tests.benchmarks.ray $(if $(ADDRESS),--address $(ADDRESS))

smoke-qdrant: tools ## hold the Qdrant server at URL=http://host:6333 [API_KEY=...] to the contract of stores
	QDRANT_URL=$(URL) QDRANT_API_KEY=$(API_KEY) $(BIN)/python -m pytest -q tests/contracts/test_store.py -k "own and qdrant"

soak: tools ## edits and runs for HOURS=6: memory, open files and state must stay flat
	HOURS=$(or $(HOURS),6) $(BIN)/python -m tests.soak

soak-watch: tools ## saves beside one `headrace watch` for HOURS=6: the same must stay flat
	HOURS=$(or $(HOURS),6) $(BIN)/python -m tests.soak_watch

smoke-pinecone: tools ## hold Pinecone itself to the contract of stores: needs PINECONE_API_KEY, costs some cents
	@test -n "$$PINECONE_API_KEY" || { echo "export PINECONE_API_KEY=... first"; exit 2; }
	SMOKE=pinecone $(BIN)/python -m pytest tests/contracts/test_store.py -k "pinecone and service"

smoke-embedder: tools ## hold a paid service itself to the contract of embedders: KIND=cohere, its key exported, costs a cent
	@test -n "$(KIND)" || { echo "say which: make smoke-embedder KIND=cohere, voyage, gemini or openai"; exit 2; }
	SMOKE=$(KIND) $(BIN)/python -m pytest tests/contracts/test_embedder.py -k service

smoke-clip: tools ## find pictures by words with MODEL=google/siglip2-base-patch16-224, or another one of the hub
	@test -n "$(MODEL)" || { echo "name a model: make smoke-clip MODEL=google/siglip2-base-patch16-224"; exit 2; }
	SMOKE_CLIP=$(MODEL) $(BIN)/python -m pytest tests/flows/test_pictures.py -k "model_of_the_hub"

quality: tools ## how well searches answer, on collections in DATA (see tests/benchmarks/quality.py), against their bars; minutes
	$(BIN)/python -m tests.benchmarks.quality $(DATA)

mteb: tools ## MTEB's tasks with a pipeline's embedder, in an environment of its own: TASK="NFCorpus SciFact" CONFIG=docs/headrace.yaml; without, a task of ours
	test -x .venvs/mteb/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venvs/mteb
	VIRTUAL_ENV=.venvs/mteb $(BIN)/uv pip install --quiet --link-mode copy -r requirements.lock -r requirements-dev.lock \
		-r tests/benchmarks/mteb.txt --editable .
	$(if $(TASK),.venvs/mteb/bin/python -m tests.benchmarks.mteb_encoder $(CONFIG) $(TASK),MTEB=1 .venvs/mteb/bin/python -m pytest -q tests/benchmarks/test_mteb.py)

matrix: tools ## hold every store to the contract, and write README's table of what each keeps; a quarter of an hour
	MATRIX=1 $(BIN)/python -m tests.matrix

# One resolution for all, then the users' part of it: the tools never move a version that a user gets. Pins stay where
# they fit; what was edited by hand is resolved like the rest.
COMPILE = UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--extra offline-model --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-package triton
# Which build of torch, and with it which CUDA, is the index's to say.
PINS = grep -Ev '^(nvidia|cuda)-' .venv/resolved | sed -E 's/^(torch==[0-9.]+).*/\1/' | uniq

lock: ## resolve both locks again; UPGRADE=--upgrade takes newer versions
	test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	cat requirements.lock requirements-dev.lock > .venv/resolved
	$(COMPILE) --group dev $(UPGRADE) --output-file .venv/resolved
	$(PINS) > .venv/all.lock
	$(COMPILE) --constraint .venv/all.lock --upgrade --output-file .venv/resolved
	$(PINS) > requirements.lock
	grep -vxFf requirements.lock .venv/all.lock > requirements-dev.lock

clean: ## remove the environments and the demo's data
	rm -rf .venv .venvs .headrace
