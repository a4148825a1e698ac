import test from 'ava'
import fc from 'fast-check'
import { proxyHeader } from '../../actors/proxy/proxy-header.ts'

const URI = 'spiffe://td.consul/ns/default/dc/dc1/svc/web'

test('a header for IPv4 is what the specification says, byte by byte', (t) => {
  const header = Buffer.from(proxyHeader({ from: '10.0.0.7:4000', to: '127.0.0.1:20000', uri: 'ab' }))
  t.is(header.toString('hex'), '0d0a0d0a000d0a515549540a2111001' + '1' + '0a0000077f0000010fa04e20' + '0200026162')
  t.is(header.readUInt16BE(14), header.length - 16)
})

test('IPv6 is read in all its forms; IPv4-mapped addresses are IPv4', (t) => {
  const six = Buffer.from(proxyHeader({ from: '[fd00::7]:4000', to: '[::1]:20000', uri: '' }))
  t.is(six[13], 0x21)
  t.is(six.subarray(16, 48).toString('hex'), `fd00${'0'.repeat(26)}07${'0'.repeat(31)}1`)
  const mapped = Buffer.from(proxyHeader({ from: '[::ffff:10.0.0.7]:4000', to: '10.0.0.1:20000', uri: '' }))
  t.is(mapped[13], 0x11)
})

test('without addresses of one family only the identity is told', (t) => {
  for (const [from, to] of [
    ['', ''],
    ['10.0.0.7:4000', '[::1]:20000'],
    ['nowhere:1', '10.0.0.1:1'],
  ] as const) {
    const header = Buffer.from(proxyHeader({ from, to, uri: URI }))
    t.is(header[13], 0)
    t.is(header.subarray(19).toString('latin1'), URI)
  }
})

test('whatever it is made of, its length is right and its last part is the identity', (t) => {
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV4(), fc.nat(65_535), fc.nat(65_535), (six, four, fromPort, toPort) => {
      for (const ip of [four, `[${six}]`]) {
        const header = Buffer.from(proxyHeader({ from: `${ip}:${fromPort}`, to: `${ip}:${toPort}`, uri: URI }))
        t.is(header.readUInt16BE(14), header.length - 16)
        t.true(header.toString('latin1').endsWith(URI))
        const ports = 16 + (header[13] === 0x11 ? 8 : 32)
        t.is(header.readUInt16BE(ports), fromPort)
        t.is(header.readUInt16BE(ports + 2), toPort)
      }
    }),
  )
})
