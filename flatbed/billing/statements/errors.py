"""Refusals about statements."""

from flatbed.tenants.kit.problems import Problem


class ClosingBlockedError(Problem):
    """The period cannot be closed now; ``reason`` says why. It is tried again every day.

    ``grace``: its time and the grace after it have not passed. ``order``: an earlier period is
    open. ``seller``: the agency's billing profile is missing, or its country has no tax rate.
    ``findings``: the reconciliation found what has to be settled first.
    """

    status = 409
    code = "closing-blocked"
    title = "The period cannot be closed now"
    advice = "See `reason`, settle it, and try again."


class PeriodClosedError(Problem):
    """The period is closed; its statements never change."""

    status = 409
    code = "period-closed"
    title = "The period is closed"
    advice = "Read its statements; corrections are made in a later period."


class NoElectronicInvoiceError(Problem):
    """EN 16931 does not admit this document; `broken_rules` names why. The PDF is there."""

    status = 409
    code = "no-electronic-invoice"
    title = "There is no EN 16931 data for this document"
    advice = "Fill in what `broken_rules` asks for, for later invoices; the PDF can be read."
