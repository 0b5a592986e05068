"""Refusals of webhooks."""

from flatbed.tenants.kit.problems import Problem


class WebhookRefusedError(Problem):
    """The signature is missing, forged, or of another time."""

    status = 400
    code = "webhook-refused"
    title = "The webhook is not signed as it must be"
    advice = "Check the signing secret of the endpoint and the clock."
