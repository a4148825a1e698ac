import { formatDuration } from '../config/durations.ts'

/** Answer of /v1/connect/ca/configuration?plan. */
export type CaPlan = {
  Does: 'nothing' | 'settings' | 'rotation'
  Refused: string
  RootID: string
  PrivateKeyType: string
  PrivateKeyBits: number
  CrossSigned: boolean
  Proxies: number
  Trusting: number
  Behind: string[]
  NotReporting: number
  Leaves: number
  LeavesWithinMs: number
  RetireAt: string | null
}

/** What a change of the CA would do, for people. */
export function planLines(plan: CaPlan): string[] {
  if (plan.Does === 'nothing') return ['The configuration is the same: nothing would change.']
  if (plan.Does === 'settings') return [`Only settings would change; the root ${plan.RootID} stays.`, NOTHING_CHANGED]
  const key = `${plan.PrivateKeyType}-${plan.PrivateKeyBits}`
  const root = plan.RootID === '' ? `made anew (${key})` : `${plan.RootID} (${key})`
  const behind = plan.Behind.length > 0 ? `; not ${plan.Behind.join(', ')}` : ''
  return [
    ...(plan.Refused === '' ? [] : [`It would be refused: ${plan.Refused}`]),
    `New root:      ${root}`,
    `Cross-signed:  ${plan.CrossSigned ? 'yes: it signs at once, and whoever trusts the old root trusts its leaves' : 'no: it is only trusted until every proxy that reports trusts it'}`,
    `Proxies:       ${plan.Trusting} of ${plan.Proxies} trust the present root${behind}`,
    `Not reporting: ${plan.NotReporting}`,
    `Leaves:        ${plan.Leaves} to be made anew, within ${formatDuration(plan.LeavesWithinMs)}`,
    `Old root:      trusted until ${plan.RetireAt ?? 'it is changed'} at least`,
    NOTHING_CHANGED,
  ]
}

const NOTHING_CHANGED = 'Nothing was changed.'
