"""Refusals of the sandbox's clock."""

from flatbed.tenants.kit.problems import Problem


class NotSandboxError(Problem):
    """The live realm's clock is the system's."""

    status = 409
    code = "not-a-sandbox"
    title = "Only a sandbox has a clock of its own"
    advice = "Make a sandbox realm with `flatbed realm create … --kind sandbox` and use its client."
