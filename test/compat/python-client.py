"""The public client of Consul for Python, as Debian packages it, against the agent whose HTTP and DNS ports are given."""

import sys
import threading

import consul
from consul import Check
from consul.base import CB

client = consul.Consul(port=int(sys.argv[1]))


def expect(what, found, wanted):
    if found != wanted:
        sys.exit('%s: %r instead of %r' % (what, found, wanted))


def change(path, **params):
    """This version of the client sends GET where Consul has wanted PUT since 1.0; it is asked for that itself."""
    return client.http.put(CB.bool(), '/v1/agent/' + path, params=params)


# Keys and values
index, data = client.kv.get('none')
expect('a missing key', data, None)
expect('put', client.kv.put('app/a', 'hello', flags=7), True)
index, data = client.kv.get('app/a')
expect('get', (data['Value'], data['Flags']), (b'hello', 7))
expect('keys', client.kv.get('app/', keys=True)[1], ['app/a'])
expect('cas that fails', client.kv.put('app/a', 'x', cas=1), False)
expect('cas', client.kv.put('app/a', 'x', cas=data['ModifyIndex']), True)
threading.Timer(0.2, lambda: consul.Consul(port=int(sys.argv[1])).kv.put('app/a', 'later')).start()
index, data = client.kv.get('app/a')
waited, data = client.kv.get('app/a', index=index, wait='20s')
expect('blocking get', data['Value'], b'later')
expect('index after blocking', int(waited) > int(index), True)

# Sessions and locks
session = client.session.create(name='me', behavior='delete', ttl=20, lock_delay=0)
other = client.session.create(name='you')
expect('acquire', client.kv.put('lock', 'mine', acquire=session), True)
expect('acquire by another', client.kv.put('lock', 'yours', acquire=other), False)
expect('holder', client.kv.get('lock')[1]['Session'], session)
expect('renew', client.session.renew(session)['ID'], session)
expect('info', client.session.info(session)[1]['Name'], 'me')
expect('list', len(client.session.list()[1]), 2)
expect('destroy', client.session.destroy(session), True)
expect('a lock that goes with its session', client.kv.get('lock')[1], None)

# Services and checks
expect('register', client.agent.service.register('web', 'web1', port=80, tags=['v1'], check=Check.ttl('1m')), True)
index, nodes = client.health.service('web', passing=True)
expect('health before passing', nodes, [])
expect('pass', change('check/pass/service:web1', note='fine'), True)
waited, nodes = client.health.service('web', passing=True)
expect('health', [node['Service']['ID'] for node in nodes], ['web1'])
expect('state', [one['Output'] for one in client.health.state('passing')[1] if one['ServiceID'] == 'web1'], ['fine'])
expect('checks', len(client.health.checks('web')[1]), 1)
expect('services', client.agent.services()['web1']['Tags'], ['v1'])
expect('maintenance', client.agent.service.maintenance('web1', 'true', 'disks'), True)
expect('maintenance check', '_service_maintenance:web1' in client.agent.checks(), True)
expect('end of maintenance', client.agent.service.maintenance('web1', 'false'), True)
expect('node maintenance', client.agent.maintenance('true', 'x') and client.agent.maintenance('false'), True)
expect('check', client.agent.check.register('mine', Check.ttl('10s')), True)
expect('check gone', change('check/deregister/mine'), True)

# Catalog, members, status
expect('datacenters', client.catalog.datacenters(), ['dc1'])
node = client.catalog.nodes()[1][0]['Node']
expect('services of all', sorted(client.catalog.services()[1]), ['consul', 'web'])
expect('instances', client.catalog.service('web')[1][0]['ServicePort'], 80)
expect('services of a node', 'web1' in client.catalog.node(node)[1]['Services'], True)
external = client.catalog.register('outside', '192.0.2.1', service={'Service': 'mail', 'Port': 25})
expect('external node', external, True)
expect('external service', client.catalog.service('mail')[1][0]['Address'], '192.0.2.1')
expect('external node gone', client.catalog.deregister('outside'), True)
expect('self', client.agent.self()['Config']['NodeName'], node)
expect('members', len(client.agent.members()), 1)
expect('leader', client.status.leader() in client.status.peers(), True)
expect('coordinates', client.coordinate.datacenters()[0]['Datacenter'], 'dc1')

# Events and queries
event = client.event.fire('deploy', 'v2')
expect('event', event['Name'], 'deploy')
query = client.query.create('web', name='main')
expect('query', [one['Service']['ID'] for one in client.query.execute('main')['Nodes']], ['web1'])
expect('queries', client.query.list()[0]['ID'], query['ID'])
expect('query gone', client.query.delete(query['ID']), True)

# Refusals
try:
    change('check/pass/nope')
    sys.exit('a check that does not exist was passed')
except consul.ConsulException as error:
    expect('refusal', 'does not have associated TTL' in str(error), True)
expect('a change with GET', client.agent.service.deregister('web1'), False)
expect('deregister', change('service/deregister/web1'), True)
expect('delete', client.kv.delete('', recurse=True), True)
print('ok')
