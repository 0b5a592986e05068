"""Reports of usage, a module a verb. What other slices need of them: where evidence is read."""

from flatbed.billing.usage.reports.lines import dossier_of

__all__ = ["dossier_of"]
