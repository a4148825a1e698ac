import { isIP } from 'node:net'
import { isRefused, type Refusal } from '../kernel/refusal.ts'
import { defineCommand } from './command.ts'
import { readData } from './kv-data.ts'
import { certificateMaker, daysFault, exists, nameFault, saveNew } from './tls-files.ts'

const DAYS = 365
const WARNING = `==> WARNING: Server Certificates grants authority to become a
    server, and a server sees and changes all there is, including
    root keys and ACL tokens. Copy them to machines that run servers
    and to no others, and guard them like the key of the authority.`

export const tlsCertCreateCommand = defineCommand({
  summary: 'Make a certificate for an agent',
  usage: 'tls cert create [options]',
  about: `
Makes a certificate that "tls ca create" vouches for and writes it and its key to two files in this folder.

    $ tribune tls cert create -server
    $ tribune tls cert create -client -dc=dc2
    $ tribune tls cert create -cli
`,
  flags: {
    'additional-dnsname': { kind: 'strings', about: 'Another name for DNS in the certificate. May be repeated.' },
    'additional-ipaddress': { kind: 'strings', about: 'Another IP address in the certificate. May be repeated.' },
    ca: { kind: 'string', about: 'File with the certificate of the authority. The default is "DOMAIN-agent-ca.pem".' },
    cli: { kind: 'boolean', about: 'For people and programs that ask agents, such as this one.' },
    client: { kind: 'boolean', about: 'For an agent that is a client.' },
    days: { kind: 'int', about: `How many days it is valid. The default is ${DAYS}.` },
    dc: { kind: 'string', about: 'Datacenter of the agent. The default is "dc1".' },
    domain: { kind: 'string', about: 'Domain of the agents. The default is "consul".' },
    key: { kind: 'string', about: 'File with the key of the authority. The default is "DOMAIN-agent-ca-key.pem".' },
    node: { kind: 'string', about: 'Name of the node, for another name in the certificate. Only with -server.' },
    server: { kind: 'boolean', about: 'For an agent that is a server.' },
  },
  async run({ flags, rest, io, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const kinds = (['server', 'client', 'cli'] as const).filter((name) => flags[name])
    const [kind] = kinds
    if (kind === undefined || kinds.length > 1) return fail('Please provide either -server, -client, or -cli')
    const { domain = 'consul', dc = 'dc1', days = DAYS, node = '' } = flags
    const { 'additional-dnsname': moreDns = [], 'additional-ipaddress': moreIps = [] } = flags
    if (node !== '' && kind !== 'server') return fail('-node requires -server')
    const fault = faultIn({ domain, dc, node, days, moreDns, moreIps })
    if (fault !== undefined) return fail(fault)
    const from = { ca: flags.ca ?? `${domain}-agent-ca.pem`, key: flags.key ?? `${domain}-agent-ca-key.pem` }
    const certPem = await readData(from.ca)
    if (isRefused(certPem)) return fail(`Error reading CA: ${problemOf(certPem)}`)
    const keyPem = await readData(from.key)
    if (isRefused(keyPem)) return fail(`Error reading CA key: ${problemOf(keyPem)}`)
    if (kind === 'server') io.err(WARNING)
    io.out(`==> Using ${from.ca} and ${from.key}`)
    const name = `${kind}.${dc}.${domain}`
    const { issueAgentCertificate } = await certificateMaker()
    const issued = await issueAgentCertificate({
      by: { certPem: certPem.value.toString('utf8'), keyPem: keyPem.value.toString('utf8') },
      commonName: name,
      dns: [...moreDns, ...(node === '' ? [] : [`${node}.server.${dc}.${domain}`]), name, 'localhost'],
      ips: [...moreIps, ...(kind === 'cli' ? [] : ['127.0.0.1'])],
      days,
      speaksToAgents: kind !== 'cli',
    })
    if (isRefused(issued)) return fail(`Error creating certificate with ${from.ca} and ${from.key}: ${issued.why}`)
    const files = nextFiles(`${dc}-${kind}-${domain}`)
    const savedCert = saveNew(files.cert, issued.certPem, { secret: false })
    if (isRefused(savedCert)) return fail(savedCert.why)
    io.out(`==> Saved ${files.cert}`)
    const savedKey = saveNew(files.key, issued.keyPem, { secret: true })
    if (isRefused(savedKey)) return fail(savedKey.why)
    io.out(`==> Saved ${files.key}`)
    return 0
  },
})

type Asked = { domain: string; dc: string; node: string; days: number; moreDns: readonly string[]; moreIps: readonly string[] }

/** What is wrong with the flags. */
function faultIn({ domain, dc, node, days, moreDns, moreIps }: Asked): string | undefined {
  const badIp = moreIps.find((ip) => isIP(ip) === 0)
  const faults = [
    nameFault('domain', domain),
    nameFault('dc', dc),
    node === '' ? undefined : nameFault('node', node),
    ...moreDns.map((name) => nameFault('additional-dnsname', name.replace(/^\*\./, ''))),
    badIp === undefined ? undefined : `-additional-ipaddress ${JSON.stringify(badIp)} is not an IP address`,
    daysFault(days),
  ]
  return faults.find((fault) => fault !== undefined)
}

/** Without what `readData` says for commands that read values. */
function problemOf({ why }: Refusal): string {
  return why.replace(/^Failed to read file: /, '')
}

/** The first pair of names that are both free. */
function nextFiles(prefix: string): { cert: string; key: string } {
  for (let number = 0; ; number += 1) {
    const files = { cert: `${prefix}-${number}.pem`, key: `${prefix}-${number}-key.pem` }
    if (!exists(files.cert) && !exists(files.key)) return files
  }
}
