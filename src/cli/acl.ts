import { isRefused } from '../kernel/refusal.ts'
import { type AclRule, aclRules } from './acl-rules.ts'
import { defineApiCommand } from './api-command.ts'
import type { Command } from './command.ts'

const ID_LENGTH = 36
/** Kinds of agent tokens, with the names they had before. */
const TOKEN_KINDS = /^(default|agent|agent_master|replication|acl_token|acl_agent_token|acl_agent_master_token|acl_replication_token)$/
const WITHOUT_NAMESPACE = /^acl (bootstrap|set-agent-token|translate-rules)$/

/** Every command about ACLs. Agents without ACLs answer all of them in the same way; what has them is not managed from here. */
export function aclCommandOf(name: string): Command {
  const rule = aclRules.find((one) => one.name === name)
  if (rule === undefined) throw new Error(`there is no command ${name}`)
  return defineApiCommand({
    summary: rule.summary,
    usage: `${name} [options]${rule.takes ? ` ${rule.takes}` : ''}`,
    about: `
${rule.summary}. Agents that do not have access control lists answer that ACL support is disabled; agents that do cannot be managed with this program.
`,
    answers: 'servers',
    namespaced: !WITHOUT_NAMESPACE.test(name),
    flags: rule.flags,
    async run({ flags, rest, http, fail, misused }) {
      const { problem, failure } = sense(rule, flags, rest)
      if (problem !== undefined) return misused(problem)
      const { format } = flags
      const formats = ['pretty', ...(rule.flags['format']?.values ?? [])]
      if (format !== undefined && !formats.includes(String(format))) return fail(`Unknown format: ${String(format)}`)
      const reply = await http.request('GET', '/v1/acl/tokens')
      if (isRefused(reply)) return fail(`${failure}: ${reply.why}`)
      return fail(`${failure}: the agent has ACLs, which this program cannot manage`)
    },
  })
}

/** What is wrong with the arguments, and what a failure is called. */
function sense(rule: AclRule, flags: Readonly<Record<string, unknown>>, rest: readonly string[]): { problem?: string; failure: string } {
  const { needs, subject, partial } = rule
  const [kind = ''] = rest
  if (rule.name === 'acl set-agent-token') {
    if (rest.length !== 2)
      return { problem: `Missing arguments <token type> and <token secret id>: expected 2, got ${rest.length}`, failure: '' }
    return TOKEN_KINDS.test(kind) ? { failure: `${rule.failure} ${JSON.stringify(kind)}` } : { problem: 'Unknown token type', failure: '' }
  }
  const taken = rule.takes === undefined ? 0 : 1
  if (rest.length !== taken) return { problem: `Wrong number of arguments (expected ${taken}, got ${rest.length})`, failure: '' }
  if (needs?.flags.every((name) => !flags[name])) return { problem: needs.problem, failure: '' }
  const id = flags['id']
  if (partial !== undefined && typeof id === 'string' && id.length !== ID_LENGTH) return { failure: partial }
  return { failure: rule.failure.replace('%s', String((subject && flags[subject]) || flags['name'] || '')) }
}
