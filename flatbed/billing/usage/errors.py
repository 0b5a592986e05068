"""Refusals about usage."""

from flatbed.tenants.kit.problems import Problem


class CapReachedError(Problem):
    """A cap of the campaign leaves no room for one more unit; nothing was changed.

    ``caps`` names each that is met: ``cap`` (``units_total``, ``units_month``, ``money_total``,
    ``money_month``), its ``limit`` and what is ``used`` (money in minor units).
    """

    is_final: bool = False
    """A cap is below a single unit: neither a void nor a month ever makes room."""

    status = 409
    code = "cap-reached"
    title = "A cap of the campaign is reached"
    advice = "Raise the cap: it is below a single unit. What only lacks room waits for it instead."


class AlreadyBilledError(Problem):
    """The company group was metered before in this programme, and not voided."""

    status = 409
    code = "already-billed"
    title = "This company group is billed already in this programme"
    advice = "A company group is billed once per programme; work another company."


class UsageStateError(Problem):
    """The entry's state does not allow the decision; ``state`` names it."""

    status = 409
    code = "usage-state"
    title = "The state of the usage entry does not allow this"
    advice = "Read the qualification again; it was decided meanwhile."


class NotBilledError(Problem):
    """The unit stands on no statement yet, so that nothing can be given back."""

    status = 409
    code = "usage-not-billed"
    title = "The unit is not billed yet"
    advice = "Ask again after the next statement is closed."


class AlreadyReplacedError(Problem):
    """Another live unit replaces the entry already."""

    status = 409
    code = "usage-replaced"
    title = "The unit is replaced already"
    advice = "Read the qualification again; it was replaced meanwhile."


class ExportTooLargeError(Problem):
    """The export has more lines than one file may hold; ``most`` says how many it may."""

    status = 422
    code = "export-too-large"
    title = "The export is too large"
    advice = "Narrow it with `from` and `to`; CSV and XLSX hold more lines than PDF."


class TooManyDigitsError(Problem):
    """A sum has more digits than a workbook's number cells keep: 15."""

    status = 422
    code = "too-many-digits"
    title = "An amount has more digits than a spreadsheet keeps"
    advice = "Narrow it with `from` and `to`, or read it as PDF, CSV or JSON."


class PressBusyError(Problem):
    """Too many reports and invoices are being made as files at once."""

    status = 503
    code = "documents-busy"
    title = "Other documents are being made"
    advice = "Repeat the request after the time in Retry-After, or read the same as JSON."
