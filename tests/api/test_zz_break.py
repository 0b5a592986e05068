import asyncio, json, pytest
from tests.candidates.factory import site, company
from tests.conftest import *  # noqa
from tests.api.support import *

BODIES = {
 'empty': (b'', 'application/json'), 'notype': (b'{"name":"x"}', None), 'plain': (b'{"name":"x"}', 'text/plain'),
 'form': (b'name=x', 'application/x-www-form-urlencoded'), 'multipart': (b'--x', 'multipart/form-data; boundary=x'), 'multipart0': (b'--x', 'multipart/form-data'),
 'list': (b'[]', 'application/json'), 'null': (b'null','application/json'), 'str': (b'"x"','application/json'),
 'nan': (b'{"name":"x","metadata":{"a":NaN}}','application/json'), 'inf': (b'{"name":"x","metadata":{"a":1e999}}','application/json'),
 'neginf': (b'{"name":"x","metadata":{"a":-Infinity}}','application/json'),
 'huge': (b'{"name":"x","metadata":{"a":'+b'9'*400+b'}}','application/json'),
 'huge5000': (b'{"name":"x","metadata":{"a":'+b'9'*5000+b'}}','application/json'),
 'deep': (b'{"name":"x","metadata":{"a":'+b'['*3000+b']'*3000+b'}}','application/json'),
 'deep100k': (b'{"name":"x","metadata":{"a":'+b'['*100000+b']'*100000+b'}}','application/json'),
 'deep60': (b'{"name":"x","metadata":{"a":'+b'['*60+b']'*60+b'}}','application/json'),
 'utf8': (b'{"name":"\xff\xfe"}','application/json'), 'utf16': ('{"name":"x"}'.encode('utf-16'),'application/json'),
 'utf16le': ('{"name":"x"}'.encode('utf-16-le'),'application/json'),
 'bom': ('{"name":"x"}'.encode('utf-8-sig'),'application/json'),
 'surrogate': (b'{"name":"\\ud800"}','application/json'), 'surrkey': (b'{"name":"x","metadata":{"\\ud800":1}}','application/json'),
 'extrasurr': (b'{"name":"x","\\ud800":1}','application/json'), 'extranul': (b'{"name":"x","\\u0000":1}','application/json'),
 'dup': (b'{"name":"x","name":"y"}','application/json'), 'nul': (b'{"name":"a\\u0000"}','application/json'),
 'big': (b'{"name":"'+b'x'*3_000_000+b'"}','application/json'), 'float': (b'{"name":"x","metadata":{"a":1.5, "b":1e300, "c":1e-300, "d": -0.0}}','application/json'),
 'charset': (b'{"name":"x"}','application/json; charset=utf-16'), 'badct': (b'{"name":"x"}','///;;'),
}

@pytest.mark.asyncio
async def test_it(database):
  async with new_world(database) as world:
    place = await site(world)
    isv = place.isv; lead = place.lead
    out=[]
    seen={}
    def note(label, r, secret=None):
        body=r.text
        flag = '!!' if r.status_code>=500 else ''
        ct=r.headers.get('content-type','')
        if r.status_code>=400 and 'problem+json' not in ct: flag+=' NOTPROBLEM '+ct
        if secret and secret in body: flag+=' ECHO'
        out.append(f"{flag:4} {r.status_code} {label} {r.json().get('code') if 'json' in ct and body else body[:80]!r} {[ (e['pointer'],e['message'][:70]) for e in r.json().get('errors',[])] if r.status_code>=400 and 'problem' in ct else ''}")
    H={'Authorization':f'Bearer {lead.token}'}
    oh={**H,'Flatbed-Tenant':isv.id}
    for n,(b,ct) in BODIES.items():
        h={**H}; 
        if ct: h['content-type']=ct
        note('groups '+n, await world.http.post('/v1/company-groups', content=b, headers=h))
        b2=b.replace(b'"name":"x"', b'"name":"x","domain":"d-%s.example"'%n.encode())
        note('companies '+n, await world.http.post('/v1/companies', content=b2, headers=h))
    # profiles hard criterion
    off=await isv.client.read('/v1/offerings'); off=off['data'][0]['id']
    for v in ['1e999','NaN','9'*400,'1.5','"\\u0000"','[1e999]','[[]]','{"a":1}','null','true']:
        raw='{"offering_id":"%s","name":"n","hard":[{"key":"k","attribute":"employees","operator":"gte","value":%s}],"soft":[]}'%(off,v)
        note('profile value '+v[:20], await world.http.post('/v1/profiles', content=raw, headers={'Authorization':f'Bearer {isv.client.token}','content-type':'application/json'}))
    # headers
    for hv in [[('Flatbed-Tenant',isv.id),('Flatbed-Tenant','org_01h455vb4pex5vsknk084sn02q')],[('Flatbed-Tenant','')],[('Flatbed-Tenant','x'*10000)],[('Flatbed-Tenant','org_\xff')], [('Flatbed-Tenant',isv.id.upper())],[('Flatbed-Tenant',isv.id+' ')]]:
        note('tenant header '+repr(hv)[:90], await world.http.get('/v1/campaigns', headers=[('Authorization',f'Bearer {lead.token}'),*[(a,b.encode('latin-1')) for a,b in hv]]))
    note('isv foreign tenant', await world.http.get('/v1/campaigns', headers=[('Authorization',f'Bearer {isv.client.token}'),('Flatbed-Tenant','org_01h455vb4pex5vsknk084sn02q')]))
    for a in ['', 'Bearer', 'Bearer  ', 'Basic x', 'Bearer a.b.c', 'Bearer '+'a'*9000, 'bearer '+lead.token, 'Bearer \xe9', 'Bearer '+lead.token+'x', 'Bearer e30.e30.e30', 'Bearer '+'.'.join(['W10','e30',''])]:
        r=await world.http.get('/v1/companies', headers=[('Authorization',a.encode('latin-1'))]); note('auth '+a[:30], r); out.append('     '+str(r.headers.get('www-authenticate')))
    # query
    for q in ['limit=0','limit=-1','limit=x','limit=9'*1,'limit=99999999999999999999999','limit=1&limit=2','cursor=','cursor=x','cursor=%00','cursor=%ff','cursor=%C3%A9','cursor='+'a'*600,'cursor='+'a'*499,'external_ref=%00','external_ref=','domain=%00','external_ref=a&external_ref=b','unknown=1','limit=1e3','limit=1.0', '%00=1']:
        note('query '+q[:40], await world.http.get('/v1/companies?'+q, headers=H))
    for q in ['object_id=%00','action=%00','object_id=%ED%A0%80','action='+'x'*200]:
        note('audit '+q[:30], await world.http.get('/v1/audit?'+q, headers=H))
    for p in ['/','/v1','/v1/','/v1/nothing','/v1/companies/','/v1/companies/%00','/v1/companies/%ff','/v1/companies/co_'+'z'*26,'/v1/companies/co_7zzzzzzzzzzzzzzzzzzzzzzzzz','/v1/companies/co_%C3%A9', '/v1//companies','/docs','/openapi.json','/healthz','/readyz','/problems/not-found','/oauth/jwks','/.well-known/oauth-authorization-server','/favicon.ico', '/v1/companies/'+'a'*9000,'/v1/companies/CO_01H455VB4PEX5VSKNK084SN02Q']:
        note('path '+p[:60], await world.http.get(p, headers=H))
    for m in ['HEAD','OPTIONS','DELETE','PUT','TRACE','PATCH','FOO']:
        r=await world.http.request(m,'/v1/companies', headers=H); note('method '+m, r); out.append('     allow='+str(r.headers.get('allow')))
    r=await world.http.request('HEAD','/healthz'); note('HEAD healthz', r)
    # idempotency
    body={'name':'g'}
    for k in ['', ' ', 'a'*255,'a'*256,'\xe9','a b','tab\tx']:
        note('key '+repr(k)[:20], await world.http.post('/v1/company-groups', json=body, headers=[('Authorization',f'Bearer {lead.token}'),('Idempotency-Key',k.encode('latin-1'))]))
    note('2 keys', await world.http.post('/v1/company-groups', json=body, headers=[('Authorization',f'Bearer {lead.token}'),('Idempotency-Key','d1'),('Idempotency-Key','d2')]))
    note('key reuse other path', await world.http.post('/v1/companies', json={'name':'x','domain':'kk.example'}, headers={**H,'Idempotency-Key':'a b'}))
    a=await asyncio.gather(*[world.http.post('/v1/company-groups', json=body, headers={**H,'Idempotency-Key':'race'}) for _ in range(6)])
    out.append('race '+str([(x.status_code, x.json().get('id') or x.json().get('code')) for x in a]))
    adm={'Authorization':f'Bearer {world.admin.token}'}
    note('same key other client', await world.http.post('/v1/company-groups', json=body, headers={**adm,'Idempotency-Key':'race'}))
    # If-Match multi
    g=await lead.made('/v1/companies', {'name':'x','domain':'ifm.example'})
    for im in [[b'"1"',b'"2"'],[b'"\xb2"'],[b''],[b'"1'],[b'"01"'],[b'""1""']]:
        note('ifmatch '+repr(im), await world.http.patch('/v1/companies/'+g['id'], json={'industry':'y'}, headers=[('Authorization',f'Bearer {lead.token}'),*[('If-Match',x) for x in im]]))
    # oauth
    for p,b,h in [('/oauth/token',b'',{}),('/oauth/token',b'grant_type=client_credentials',{'content-type':'application/x-www-form-urlencoded'}),('/oauth/token',b'grant_type=%ff',{'content-type':'application/x-www-form-urlencoded'}),('/oauth/token',b'grant_type=client_credentials&scope=%00&client_id=a&client_secret=%00',{'content-type':'application/x-www-form-urlencoded'}),('/oauth/token',b'grant_type=password&client_id=a&client_secret=b',{'content-type':'application/x-www-form-urlencoded'})]:
        r=await world.http.post(p,content=b,headers=h); out.append(f'oauth {r.status_code} {r.text[:150]}')
    for b in [{'advance_seconds':1,'to':'2026-01-01T00:00:00Z'},{'to':'9999-12-31T23:59:59-14:00'},{'to':'0001-01-01T00:00:00+14:00'},{'advance_seconds':10**30},{'advance_seconds':True},{'to':1e308},{'to':'x'},{'to':253402300800}]:
        note('clock '+str(b), await world.http.post('/v1/sandbox/clock', json=b, headers=adm))
    for b in [{'name':'x','email':'a\u0000@b.de','role':'hunter'},{'name':'x','email':'ü@straße.de','role':'hunter'},{'name':'x','email':'secret-canary','role':'hunter'},{'name':'x','email':'a@b.de','role':'secret-canary'},{'name':'x','email':'\ud800@b.de'.encode('utf-8','surrogatepass').decode('utf-8','replace'),'role':'hunter'}]:
        note('staff '+repr(b['email']), await world.http.post('/v1/staff', json=b, headers=adm), 'canary')
    for b in [{'slug':'secret-canary!','name':'x','country':'DE','time_zone':'Europe/Berlin','currency':'EUR'},{'slug':'a','name':'x','country':'AQ','time_zone':'Europe/Berlin','currency':'EUR'},{'slug':'b','name':'x','country':'DE','time_zone':'../../etc/passwd','currency':'EUR'},{'slug':'c','name':'x','country':'DE','time_zone':'Europe','currency':'XXX'},{'slug':'d\n','name':'x','country':'DE','time_zone':'UTC','currency':'EUR'},{'slug':'e','name':'x','country':'DE','time_zone':'\u0000','currency':'EUR'}, {'slug':'f','name':'x','country':'DE','time_zone':'localtime','currency':'EUR'}]:
        note('org '+repr(b)[:100], await world.http.post('/v1/organizations', json=b, headers=adm), 'canary')
    me=(await world.http.get('/v1/organizations/'+isv.id, headers=adm)).json()
    for b in [{'name':None},{'external_ref':None},{'metadata':None},{'status':None},{}]:
        note('org patch '+str(b), await world.http.patch('/v1/organizations/'+isv.id, json=b, headers={**adm,'If-Match':'"1"'}))
    # every PATCH op nulls
    spec=(await world.http.get('/openapi.json')).json()
    # isv on agency ops and unknown org ISV
    print('\n'.join(out))
    open('/tmp/break.out','w').write('\n'.join(out))
