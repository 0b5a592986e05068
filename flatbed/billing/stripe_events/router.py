"""HTTP for Stripe's webhooks: no token, the signature proves who sends."""

from fastapi import APIRouter, Request, Response

from flatbed.billing.stripe_events.inbox import receive

router = APIRouter(include_in_schema=False)


@router.post("/stripe/webhooks", status_code=204)
async def take_webhook(request: Request) -> Response:
    """Take an event in; the answer comes when it is written."""
    signature = request.headers.get("stripe-signature", "")
    await receive(request.app.state.program.collector, await request.body(), signature)
    return Response(status_code=204)
