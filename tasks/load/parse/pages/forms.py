"""What people put onto a page: the values of form fields where they stand, and notes."""

import ctypes
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pypdfium2.raw as pdfium
from pypdfium2 import PdfPage

from tasks.load.parse.pages.letters import Letters
from tasks.load.parse.pages.runs import Box, Run

_UNSEEN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_PASSWORD = 1 << 13
_CHECKED = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
_CHOSEN = (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
# A pop-up repeats its note, a link says where it leads.
_NO_NOTES = (pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_LINK)

_Annotation = Any  # pypdfium2 has no types


def marks_on(page: PdfPage, letters: Letters) -> tuple[list[Run], list[Run]]:
    """The values of its fields, and its notes."""
    fields: list[Run] = []
    notes: list[Run] = []
    for at in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, at)
        if not annotation:
            continue
        is_field = pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_WIDGET
        if not pdfium.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
            text = _value(page.formenv, annotation) if is_field else _note(annotation)
            if text:
                (fields if is_field else notes).append(Run(text, _box(annotation, letters)))
        pdfium.FPDFPage_CloseAnnot(annotation)
    return fields, notes


def with_fields(runs: list[Run], fields: list[Run]) -> list[Run]:
    """The runs of a page with each field behind its label, or before the one of a box to tick."""
    for field in fields:
        beside = [run for run in runs if _overlap(run, field) > 0.5 * min(run.size, field.size)]
        before = [run for run in beside if run.right <= field.left + 0.3 * run.size]
        behind = [run for run in beside if run.left >= field.right - 0.3 * run.size]
        above = [run for run in runs if run.bottom >= field.top - 0.5 * run.size]
        if behind and (not before or field.words[0][:1] == "["):
            label = min(behind, key=lambda run: run.left)
            at = runs.index(label)
        elif before:
            label = max(before, key=lambda run: run.right)
            at = runs.index(label) + 1
        else:
            label = field
            at = runs.index(min(above, key=lambda run: run.bottom)) + 1 if above else 0
        field.bottom, field.top, field.size = label.bottom, label.top, label.size
        runs.insert(at, field)
    return runs


def _overlap(run: Run, field: Run) -> float:
    return min(run.top, field.top) - max(run.bottom, field.bottom)


def _note(annotation: _Annotation) -> str:
    """What a note says; not the name of a state that somebody gave to another one."""
    if pdfium.FPDFAnnot_GetSubtype(annotation) in _NO_NOTES or pdfium.FPDFAnnot_HasKey(annotation, b"StateModel"):
        return ""
    return _string(partial(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))


def _value(form: Any, annotation: _Annotation) -> str:
    if not form:
        return ""
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _CHECKED:
        return "[x]" if pdfium.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    if kind in _CHOSEN:
        chosen = ", ".join(filter(None, _chosen(form, annotation)))
        if chosen:
            return chosen
    elif kind != pdfium.FPDF_FORMFIELD_TEXTFIELD or pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
        return ""
    return _string(partial(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation))


def _chosen(form: Any, annotation: _Annotation) -> Iterator[str]:
    for at in range(pdfium.FPDFAnnot_GetOptionCount(form, annotation)):
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, at):
            yield _string(partial(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, at))


def _string(ask: Callable[..., int]) -> str:
    """A text of pdfium's, which is asked for its size first; in one line."""
    size = ask(None, 0)
    room = (ctypes.c_ushort * (size // 2 + 1))()
    ask(room, size)
    return " ".join(bytes(room).decode("utf-16-le", "replace").replace("\0", "").split())


def _box(annotation: _Annotation, letters: Letters) -> Box:
    sides = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(annotation, sides)
    return letters.upright(sides.left, sides.bottom, sides.right, sides.top)
