import test from 'ava'
import { expandAddress, expandIp, expandList, ownAddress, withDnsPort } from '../../src/config/addresses.ts'
import type { InterfaceAddress } from '../../src/config/host.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { loaded } from './kit.ts'

const INTERFACES: InterfaceAddress[] = [
  { name: 'lo', address: '127.0.0.1', family: 4, internal: true },
  { name: 'eth0', address: 'fe80::1', family: 6, internal: false },
  { name: 'eth0', address: '10.1.2.3', family: 4, internal: false },
  { name: 'eth1', address: '172.16.0.1', family: 4, internal: false },
  { name: 'eth2', address: '203.0.113.7', family: 4, internal: false },
]

const TEMPLATES: [text: string, expanded: string][] = [
  ['10.0.0.1', '10.0.0.1'],
  ['{{ GetPrivateIP }}', '10.1.2.3'],
  ['{{GetPublicIP}}', '203.0.113.7'],
  ['{{ GetInterfaceIP "eth1" }}', '172.16.0.1'],
  ['127.0.0.1 {{ GetPrivateIPs }}', '127.0.0.1 10.1.2.3 172.16.0.1'],
  ['{{ GetInterfaceIP `lo` }}', '127.0.0.1'],
  ['{{ GetInterfaceIP "none" }}', ''],
]
for (const [text, expanded] of TEMPLATES) test(`${text} is ${expanded}`, (t) => t.is(expandAddress(text, INTERFACES), expanded))

for (const text of ['{{ GetAllInterfaces }}', '{{ GetInterfaceIP }}', '{{ GetPrivateIP "x" }}', '{{ GetPrivateIP | join "x" }}', '{{']) {
  test(`refused: ${text}`, (t) => t.true(isRefused(expandAddress(text, INTERFACES))))
}

test('lists hold each address once, and paths where they may', (t) => {
  t.deepEqual(expandList('client_addr', ' 127.0.0.1  [::1] 127.0.0.1 ', []), ['127.0.0.1', '::1'])
  t.deepEqual(expandList('addresses.http', 'unix:///run/x 127.0.0.1', []), ['unix:///run/x', '127.0.0.1'])
  t.deepEqual(expandList('client_addr', 'host', []), { refused: 'invalid', why: 'client_addr: "host" must be an ip address' })
})

test('an address alone must be one IP address', (t) => {
  t.is(expandIp('bind_addr', '[::1]', []), '::1')
  t.deepEqual(expandIp('bind_addr', '1.1.1.1 2.2.2.2', []), { refused: 'invalid', why: 'bind_addr must be an ip address' })
})

test('a DNS server has a port', (t) => {
  t.is(withDnsPort('recursors', '8.8.8.8'), '8.8.8.8:53')
  t.is(withDnsPort('recursors', '8.8.8.8:5353'), '8.8.8.8:5353')
  t.is(withDnsPort('recursors', '2001:db8::1'), '[2001:db8::1]:53')
  t.is(withDnsPort('recursors', '[::1]:54'), '[::1]:54')
  t.true(isRefused(withDnsPort('recursors', '8.8.8.8:0')))
})

test('an agent that listens everywhere announces its only private address', (t) => {
  t.is(ownAddress(4, INTERFACES.slice(0, 3)), '10.1.2.3')
  t.deepEqual(ownAddress(4, INTERFACES), {
    refused: 'invalid',
    why: "Multiple private IPv4 addresses found. Please configure one with 'bind' and/or 'advertise'.",
  })
  const alone = loaded(['-server', '-bootstrap', '-data-dir', 'd'], {}, '127.0.0.1')
  if (typeof alone === 'string') return t.fail(alone)
  t.is(alone.config.addresses.advertise, '127.0.0.1')
  t.regex(alone.warnings.join(), /No private IPv4 address found/)
})
