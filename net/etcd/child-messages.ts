import type { EtcdMember } from '../../src/kernel/ports.ts'
import { bigintOf, bytesOf, type Fields, fieldsOf, message, messagesOf, numberOf } from './protobuf.ts'

/** What is used of etcd's services Cluster and Maintenance: see `rpc.proto` of etcd 3.4 for the numbers of the fields. */
export type MembersAnswer = { cluster: string; members: EtcdMember[] }
export type StatusAnswer = { leader: string; term: number }

export function encodeMemberAdd(url: string): Buffer {
  return message([1, [Buffer.from(url)]], [2, true])
}

/** To remove a member, and to promote it. */
export function encodeMember(id: string): Buffer {
  return message([1, BigInt(`0x${id}`)])
}

/** Where a list of members stands in an answer: behind the new one when one was added. */
export function decodeMembers(field: number): (bytes: Buffer) => MembersAnswer {
  return (bytes) => {
    const fields = fieldsOf(bytes)
    return { cluster: idOf(fieldsOf(bytesOf(fields, 1)), 1), members: messagesOf(fields, field).map(fieldsOf).map(memberOf) }
  }
}

export function decodeStatus(bytes: Buffer): StatusAnswer {
  const fields = fieldsOf(bytes)
  const leader = bigintOf(fields, 4)
  return { leader: leader === 0n ? '' : idOf(fields, 4), term: numberOf(fields, 6) }
}

function memberOf(fields: Fields): EtcdMember {
  return { id: idOf(fields, 1), name: bytesOf(fields, 2).toString(), url: bytesOf(fields, 3).toString(), learns: numberOf(fields, 5) !== 0 }
}

function idOf(fields: Fields, number: number): string {
  return BigInt.asUintN(64, bigintOf(fields, number)).toString(16)
}
