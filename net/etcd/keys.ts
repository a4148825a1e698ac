/** What a cluster of servers keeps in etcd. */
export type EtcdKeys = {
  /** The UUID of the log, put when it was founded. */
  readonly origin: string
  /** Each group of commands is a version of this one key: its number is the position, its revision says where it can be watched from. */
  readonly log: string
  /** A value that is changed at short intervals while there are appends. Each append compares it. */
  readonly fence: string
  /** The server that leads: its id, its lease, and something that changes all the time while it lives. */
  readonly leader: string
  /** For each server that lives, under its id: the revision of the last entry that it has durably. */
  readonly servers: KeyRange
  /** For each server that lacks entries which are not in etcd any more, under an id of its own: the lease for what it is given. */
  readonly wanted: KeyRange
  /** Under the same id: who sees to it. */
  claim(id: string): string
  /** Under the same id: what was given, as JSON. */
  given(id: string): string
  piece(id: string, number: number): string
}

/** All keys that begin with the first one are before the second. */
export type KeyRange = { readonly key: string; readonly end: string }

export function etcdKeys(datacenter: string): EtcdKeys {
  const prefix = `tribune/${datacenter}/`
  const range = (name: string): KeyRange => ({ key: `${prefix}${name}/`, end: `${prefix}${name}0` })
  return {
    origin: `${prefix}origin`,
    log: `${prefix}log`,
    fence: `${prefix}fence`,
    leader: `${prefix}leader`,
    servers: range('servers'),
    wanted: range('wanted'),
    claim: (id) => `${prefix}claims/${id}`,
    given: (id) => `${prefix}given/${id}`,
    piece: (id, number) => `${prefix}pieces/${id}/${number}`,
  }
}
