import { BlockList, isIP } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { isWithin } from '../../src/kernel/networks.ts'

test('an address is within a network if the bits that count are the same', (t) => {
  for (const [address, network, is] of [
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['10.1.2.3', '10.1.2.3/32', true],
    ['10.1.2.4', '10.1.2.3/32', false],
    ['::ffff:10.1.2.3', '10.0.0.0/8', true],
    ['10.1.2.3', '::ffff:10.0.0.0/104', true],
    ['11.1.2.3', '::ffff:10.0.0.0/104', false],
    ['fe80::1', 'fe80::/10', true],
    ['2001:db8::1', 'fe80::/10', false],
    ['10.1.2.3', '::/0', false],
    ['::1', '0.0.0.0/0', false],
    ['host', '0.0.0.0/0', false],
    ['', '::/0', false],
  ] as const) {
    t.is(isWithin(address, [network]), is, `${address} ${network}`)
  }
  t.false(isWithin('10.1.2.3', []))
  t.true(isWithin('10.1.2.3', ['192.0.2.0/24', '10.1.0.0/16']))
})

test('it is the same as for the system', (t) => {
  const isOther = (address: string) => isIP(address) !== 0 && !address.toLowerCase().includes('ffff:')
  const addresses = fc.oneof(fc.ipV4(), fc.ipV6()).filter(isOther)
  fc.assert(
    fc.property(addresses, addresses, fc.integer({ min: 0, max: 128 }), (address, from, length) => {
      const bits = Math.min(length, isIP(from) === 4 ? 32 : 128)
      const list = new BlockList()
      list.addSubnet(from, bits, isIP(from) === 4 ? 'ipv4' : 'ipv6')
      const isSame = isIP(address) === isIP(from) && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
      t.is(isWithin(address, [`${from}/${bits}`]), isSame, `${address} ${from}/${bits}`)
      t.true(isWithin(from, [`${from}/${bits}`]))
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.string(), (text) => void t.is(isWithin(text, ['0.0.0.0/0', '::/0']), isIP(text) !== 0 && !text.includes('%'), text)),
  )
})
