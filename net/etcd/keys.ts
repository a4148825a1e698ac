/** What a cluster of servers keeps in etcd. */
export type EtcdKeys = {
  /** The UUID of the log, put when it was founded. */
  readonly origin: string
  /** Each group of commands is a version of this one key: its number is the position, its revision says where it can be watched from. */
  readonly log: string
  /** A value that is changed at short intervals while there are appends. Each append compares it. */
  readonly fence: string
  /** The server that leads: its id and its lease, for as long as that lasts. */
  readonly leader: string
}

export function etcdKeys(datacenter: string): EtcdKeys {
  const prefix = `tribune/${datacenter}/`
  return { origin: `${prefix}origin`, log: `${prefix}log`, fence: `${prefix}fence`, leader: `${prefix}leader` }
}
