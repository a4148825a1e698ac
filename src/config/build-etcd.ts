import type { Build } from './build.ts'
import type { EtcdConfig } from './config.ts'

/** Where the servers' common log is, if they have one. */
export function buildEtcd({ problems, settings }: Build): EtcdConfig | undefined {
  const { log, etcd } = settings
  const written = etcd.endpoints.flatMap((text) => text.split(',')).filter((text) => text !== '')
  if (log !== 'local' && log !== 'etcd') problems.push(`log must be "local" or "etcd", got ${JSON.stringify(log)}`)
  if (log !== 'etcd') {
    if (written.length > 0) problems.push('etcd.endpoints are used only with log = "etcd"')
    return undefined
  }
  if (written.length === 0) problems.push('log = "etcd" requires etcd.endpoints')
  if ((etcd.cert_file === '') !== (etcd.key_file === '')) problems.push('etcd.cert_file and etcd.key_file are given together or not at all')
  const endpoints = written.flatMap((text) => {
    const endpoint = endpointOf(text)
    if (endpoint) return [endpoint]
    problems.push(`etcd.endpoints: ${JSON.stringify(text)} is not an address such as https://10.0.0.1:2379`)
    return []
  })
  return { endpoints, caFile: etcd.ca_file, certFile: etcd.cert_file, keyFile: etcd.key_file }
}

const PORT_DEFAULT = 2379

/** `https://host:port`, `http://host:port` or `host:port`, which is http. Nothing else may follow but a slash. */
function endpointOf(text: string): EtcdConfig['endpoints'][number] | undefined {
  const [, scheme = 'http', bracketed, plain, port] =
    /^(?:(https?):\/\/)?(?:\[([0-9a-fA-F:.%]+)\]|([\w.-]+))(?::(\d{1,5}))?\/?$/.exec(text) ?? []
  const host = bracketed ?? plain
  const number = port === undefined ? PORT_DEFAULT : Number(port)
  return host === undefined || number < 1 || number > 65_535 ? undefined : { host, port: number, tls: scheme === 'https' }
}
