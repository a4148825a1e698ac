import { isRefused } from '../kernel/refusal.ts'
import { defineCommand } from './command.ts'
import { certificateMaker, daysFault, exists, nameFault, saveNew } from './tls-files.ts'

const DAYS = 1_825

export const tlsCaCreateCommand = defineCommand({
  summary: 'Make an authority for the certificates of agents',
  usage: 'tls ca create [options]',
  about: `
Makes a certificate authority for the connections between agents and writes its certificate and its key to two files in this folder. Whoever has the key can make certificates that all agents believe: keep it in a safe place.

    $ tribune tls ca create
    ==> Saved consul-agent-ca.pem
    ==> Saved consul-agent-ca-key.pem
`,
  flags: {
    'additional-name-constraint': {
      kind: 'strings',
      about: 'Another name whose ends the authority may sign, with -name-constraint. May be repeated.',
    },
    'cluster-id': { kind: 'string', about: 'ID of the cluster, for a name of the form spiffe://ID.DOMAIN in the certificate.' },
    'common-name': { kind: 'string', about: 'Name of the authority. The default is "Consul Agent CA" and its serial number.' },
    days: { kind: 'int', about: `How many days it is valid. The default is ${DAYS}.` },
    domain: { kind: 'string', about: 'Domain of the agents. The default is "consul".' },
    'name-constraint': {
      kind: 'boolean',
      about: 'Let the authority sign only names in the domain, "localhost", and those of -additional-name-constraint.',
    },
  },
  async run({ flags, rest, io, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const { domain = 'consul', days = DAYS, 'common-name': commonName, 'cluster-id': clusterId = '' } = flags
    const more = flags['additional-name-constraint'] ?? []
    const faults = [
      nameFault('domain', domain),
      clusterId === '' ? undefined : nameFault('cluster-id', clusterId),
      ...more.map((name) => nameFault('additional-name-constraint', name)),
      daysFault(days),
    ]
    const fault = faults.find((one) => one !== undefined)
    if (fault !== undefined) return fail(fault)
    const files = { cert: `${domain}-agent-ca.pem`, key: `${domain}-agent-ca-key.pem` }
    for (const path of [files.cert, files.key]) if (exists(path)) return fail(`${path} already exists.`)
    const { issueAuthority } = await certificateMaker()
    const issued = await issueAuthority({
      commonName: (serial) => commonName || `Consul Agent CA ${serial}`,
      days,
      permitted: flags['name-constraint'] ? [...more, domain, 'localhost'] : [],
      uri: clusterId === '' ? '' : `spiffe://${clusterId}.${domain}`,
    })
    if (isRefused(issued)) return fail(`Error creating CA: ${issued.why}`)
    const savedCert = saveNew(files.cert, issued.certPem, { secret: false })
    if (isRefused(savedCert)) return fail(savedCert.why)
    io.out(`==> Saved ${files.cert}`)
    const savedKey = saveNew(files.key, issued.keyPem, { secret: true })
    if (isRefused(savedKey)) return fail(savedKey.why)
    io.out(`==> Saved ${files.key}`)
    return 0
  },
})
