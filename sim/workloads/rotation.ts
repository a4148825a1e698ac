import type { SignerOutcome } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { apisOf } from '../apis.ts'
import { oneOf } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import { createSimSigner } from '../ports/signer.ts'
import type { Run } from '../run.ts'
import { createRandom } from '../streams.ts'

const CONFIGURATION = '/v1/connect/ca/configuration'
/** Who signs from then on: the built-in authority with a key of its own or a given one, or another program, of which `aws-pca` signs
 * no other root. */
const authority = oneOf('ec-256', 'ec-384', 'rsa-2048', 'rsa-4096', 'given-1', 'given-2', 'vault-1', 'vault-2', 'aws-pca-1', 'aws-pca-2')
const leafTtl = oneOf('1h', '1h', '2h', '24h', '72h')
const yesOrNo = oneOf('true', 'true', 'false')

export const rotate = defineWorkload({
  name: 'ca.rotate',
  about: 'an operator has another authority sign, without something that leads back to the present root if need be',
  perMinute: 2.5,
  oncePerRun: true,
  marks: [
    { name: 'root changed', events: 6 },
    { name: 'root changed in two steps', events: 12, chance: 0.3 },
    { name: 'new root waits for a sidecar', events: 12, chance: 0.02 },
    { name: 'every sidecar has the new root', events: 6, chance: 0.05 },
    { name: 'root retired', events: 12, chance: 0.01 },
  ],
  fields: { authority, leafTtl, force: yesOrNo },
  apply(run, { node, authority, leafTtl, force }) {
    const body = { ...configurationOf(authority, leafTtl), ForceWithoutCrossSigning: force === 'true' }
    put(run, node, CONFIGURATION, body, () => undefined)
  },
})

export const rehearse = defineWorkload({
  name: 'ca.plan',
  about: 'an operator is told what another authority would mean, and changes nothing',
  perMinute: 1,
  oncePerRun: true,
  marks: [{ name: 'change of the root rehearsed', events: 6 }],
  fields: { authority, leafTtl },
  apply(run, { node, authority, leafTtl }) {
    const done = (status: number) => status === 200 && run.reach('change of the root rehearsed')
    put(run, node, `${CONFIGURATION}?plan`, configurationOf(authority, leafTtl), done)
  },
})

export const abort = defineWorkload({
  name: 'ca.abort',
  about: 'an operator goes back to the root from before',
  perMinute: 1.5,
  oncePerRun: true,
  marks: [{ name: 'root changed back', events: 12, chance: 0.02 }],
  fields: {},
  apply: (run, { node }) => put(run, node, '/v1/tribune/connect/ca/abort', {}, () => undefined),
})

export const changeLeafLife = defineWorkload({
  name: 'ca.leaf-life',
  about: 'an operator changes how long certificates live, and leaves everything else as it is',
  perMinute: 1.5,
  oncePerRun: true,
  marks: [{ name: 'life of certificates changed', events: 6 }],
  fields: { leafTtl },
  apply(run, { node, leafTtl }) {
    if (!run.up(node)) return
    apisOf(run).request(node, 'GET', CONFIGURATION, {}, (reply) => {
      if (reply === 'lost' || reply.status !== 200 || !run.up(node)) return
      const { Provider, Config, ForceWithoutCrossSigning } = JSON.parse(reply.text) as Configuration
      const body = { Provider, Config: { ...Config, LeafCertTTL: leafTtl }, ForceWithoutCrossSigning }
      put(run, node, CONFIGURATION, body, (status) => status === 200 && run.reach('life of certificates changed'))
    })
  },
})

type Configuration = { Provider: string; Config: object; ForceWithoutCrossSigning?: boolean }

function put(run: Run, node: string, path: string, body: object, done: (status: number) => unknown): void {
  if (!run.up(node)) return
  apisOf(run).request(node, 'PUT', path, { body: JSON.stringify(body) }, (reply) => {
    const { world } = run
    const said = reply === 'lost' ? reply : `${reply.status} ${reply.text}`
    world.trace.add(world.nowMs, `${node} was asked for ${path} ${JSON.stringify(body)}: ${said}`)
    if (reply !== 'lost') done(reply.status)
  })
}

function configurationOf(authority: string, LeafCertTTL: string): Configuration {
  const [, name = '', number = ''] = /^(.*)-(\d+)$/.exec(authority) ?? []
  const life = { LeafCertTTL, IntermediateCertTTL: '8760h' }
  switch (name) {
    case 'given':
      return { Provider: 'consul', Config: { ...life, PrivateKey: givenKey(number) } }
    case 'vault':
      return {
        Provider: 'vault',
        Config: { ...life, Address: `https://vault-${number}:8200`, Token: 't', RootPKIPath: 'root', IntermediatePKIPath: 'between' },
      }
    case 'aws-pca': {
      const ExistingARN = `arn:aws:acm-pca:eu-central-1:0:certificate-authority/${number}`
      // It makes nothing that lives shorter.
      const LeafCertTTL = life.LeafCertTTL.length === 2 ? '24h' : life.LeafCertTTL
      return { Provider: 'aws-pca', Config: { ...life, LeafCertTTL, ExistingARN } }
    }
    default:
      return { Provider: 'consul', Config: { ...life, PrivateKeyType: name, PrivateKeyBits: Number(number) } }
  }
}

/** A key that the operator has had for long. */
function givenKey(number: string): string {
  let made: Result<SignerOutcome> | undefined
  const signer = createSimSigner({ random: createRandom(`given-key/${number}`) })
  signer.perform(
    { do: 'key', type: 'ec', bits: 256 },
    (outcome) => (made = outcome),
    () => undefined,
  )
  return made && !isRefused(made) ? (made.keyPem ?? '') : ''
}
