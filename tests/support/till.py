"""The fake Stripe behind a program that serves in the test's own process."""

from pydantic import SecretStr

from flatbed.app.wiring import Program
from flatbed.billing.collection.collector import Collector
from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.fake.app import KEY, WEBHOOK_SECRET, FakeStripe
from flatbed.billing.gateway.fake.transport import InProcess
from flatbed.billing.gateway.settings import StripeSettings


def with_stripe(program: Program) -> Program:
    """Let the program collect at a fake of its own."""
    settings = StripeSettings(key=SecretStr(KEY), webhook_secret=SecretStr(WEBHOOK_SECRET))
    gateway = StripeGateway(settings, InProcess(FakeStripe()))
    program.collector = Collector(program.database, gateway)
    return program
