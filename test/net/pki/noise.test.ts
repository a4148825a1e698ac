import { connect, createServer } from 'node:tls'
import test from 'ava'
import fc from 'fast-check'
import { type PeerCertificate, peerCertificate } from '../../../net/mesh/tls.ts'
import { createSigner } from '../../../net/signer.ts'
import type { SignerOutcome, SignerRequest } from '../../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../../src/kernel/refusal.ts'
import { asking, granted, refused } from '../../kit/asking.ts'
import { newLeaf, newRoot, uriOf } from '../../kit/authority.ts'

const signer = createSigner()
const ask = asking(signer)
const root = await newRoot(ask)
const leaf = await newLeaf(ask, root, 'web')
const { csrPem: ecRequest = '' } = granted(
  await ask({ do: 'key', type: 'ec', bits: 256, request: { commonName: 'web', uri: uriOf('web') } }),
)
const { csrPem: rsaRequest = '' } = granted(
  await ask({ do: 'key', type: 'rsa', bits: 2048, request: { commonName: 'web', uri: uriOf('web') } }),
)

const noise = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => pem('CERTIFICATE REQUEST', bytes)),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => pem('CERTIFICATE', bytes)),
  fc.string().map((text) => `-----BEGIN CERTIFICATE REQUEST-----\n${text}\n-----END CERTIFICATE REQUEST-----`),
)

test('noise as request or certificate is refused with a reason', (t) => {
  fc.assert(
    fc.property(noise, (text) => {
      for (const request of [
        { do: 'read-request', csrPem: text },
        { do: 'read-certificate', certPem: text },
      ] as const) {
        const outcome = now(request)
        if (!isRefused(outcome) || outcome.refused !== 'invalid' || !/^(csrPem|certPem): ./.test(outcome.why)) return false
      }
      return true
    }),
    { numRuns: 500 },
  )
  t.pass()
})

for (const [name, csrPem] of [
  ['EC', ecRequest],
  ['RSA', rsaRequest],
] as const) {
  test(`an ${name} request with any changed, missing or added byte is refused`, (t) => {
    const der = derOf(csrPem)
    const change = fc.oneof(
      fc.record({ at: fc.nat(der.length - 1), byte: fc.integer({ min: 1, max: 255 }) }).map(({ at, byte }) => {
        const changed = Buffer.from(der)
        changed[at] = (changed[at] ?? 0) ^ byte
        return changed
      }),
      fc.nat(der.length - 1).map((length) => der.subarray(0, length)),
      fc.record({ at: fc.nat(der.length), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) }).map(({ at, bytes }) => {
        return Buffer.concat([der.subarray(0, at), bytes, der.subarray(at)])
      }),
    )
    fc.assert(
      fc.property(change, (changed) => {
        const outcome = now({ do: 'read-request', csrPem: pem('CERTIFICATE REQUEST', changed) })
        return isRefused(outcome) && outcome.refused === 'invalid' && outcome.why.startsWith('csrPem: ')
      }),
      { numRuns: 1_000 },
    )
    t.pass()
  })
}

test('a changed certificate is refused or read, never thrown', (t) => {
  const der = derOf(leaf.certPem)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = Buffer.from(der)
      for (const [at, byte] of changes) changed[at] = byte
      const outcome = now({ do: 'read-certificate', certPem: pem('CERTIFICATE', changed) })
      return !isRefused(outcome) || outcome.refused === 'invalid'
    }),
    { numRuns: 1_000 },
  )
  t.pass()
})

test('the refusal says which part of a request was wrong', async (t) => {
  const der = derOf(ecRequest)
  const why = async (bytes: Uint8Array) => refused(await ask({ do: 'read-request', csrPem: pem('CERTIFICATE REQUEST', bytes) })).why
  t.regex(await why(der.subarray(0, -1)), /^csrPem: needs \d+ bytes, has \d+$/)
  t.is(await why(Buffer.concat([der, Buffer.of(0, 0)])), 'csrPem: 2 bytes after its end')
  t.is(await why(Buffer.of(0x30, 0x80, 0, 0)), 'csrPem: an indefinite length')
  t.is(await why(Buffer.of(0x30, 0x81, 1, 0)), 'csrPem: a length that is not minimal')
  t.is(await why(Buffer.of(0x30, 0)), 'csrPem: expected sequence as part 1, found its end')
  const parameters = derOf(rsaRequest)
  parameters[parameters.lastIndexOf(Buffer.of(5, 0, 3, 130, 1, 1, 0))] = 4
  t.is(await why(parameters), 'csrPem: signature algorithm 1.2.840.113549.1.1.11 has parameters')
  const flipped = Buffer.from(der)
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
  t.is(await why(flipped), 'csrPem: the signature does not hold for the key in it')
  const long = refused(await ask({ do: 'read-request', csrPem: 'x'.repeat(65_537) }))
  t.is(long.why, 'csrPem: longer than 65536 characters')
})

test('a request that was refused is refused again, and one that was read is read again', async (t) => {
  const changed = ecRequest.replace(/\n(.)/, (_whole, first: string) => `\n${first === 'A' ? 'B' : 'A'}`)
  t.deepEqual(await ask({ do: 'read-request', csrPem: changed }), await ask({ do: 'read-request', csrPem: changed }))
  t.deepEqual(await ask({ do: 'read-request', csrPem: ecRequest }), await ask({ do: 'read-request', csrPem: ecRequest }))
})

test('both ends of a mutual TLS connection know their peer', async (t) => {
  const other = await newLeaf(ask, root, 'db')
  const tls = { ca: root.certPem, checkServerIdentity: () => undefined }
  const server = createServer({ ...tls, cert: other.certPem, key: other.keyPem, requestCert: true, rejectUnauthorized: true })
  const atServer = new Promise<PeerCertificate | undefined>((resolve) =>
    server.on('secureConnection', (socket) => resolve(peerCertificate(socket))),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const socket = connect({ ...tls, host: '127.0.0.1', port, cert: leaf.certPem, key: leaf.keyPem })
  t.teardown(() => socket.destroy())
  const atClient = await new Promise<PeerCertificate | undefined>((resolve, reject) => {
    socket.on('secureConnect', () => resolve(peerCertificate(socket)))
    socket.on('error', reject)
  })
  t.like(atClient, { uri: uriOf('db'), serial: '0f:1a' })
  t.like(await atServer, { uri: uriOf('web'), serial: '0f:1a' })
})

/** Everything but making RSA keys is answered at once. */
function now(request: SignerRequest): Result<SignerOutcome> {
  let outcome: Result<SignerOutcome> = {}
  signer.perform(
    request,
    (answer) => {
      outcome = answer
    },
    () => undefined,
  )
  return outcome
}

function pem(label: string, bytes: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${Buffer.from(bytes).toString('base64')}\n-----END ${label}-----\n`
}

function derOf(text: string): Buffer {
  return Buffer.from(text.replace(/-----[^-]+-----/g, ''), 'base64')
}
