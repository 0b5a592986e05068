from tests.isolation.estate import settle
async def test_world(world):
    e = await settle(world, domain="victim.example")
    print(e.ids)
    r = await e.hunter.client.read("/v1/candidates/"+e.ids["cand"])
    print(r)
    print((await e.hunter.client.read("/v1/candidates/"+e.ids["cand"]+"/gates")))
    print((await e.hunter.client.read("/v1/me/queue")))
    assert 0
