import type { AutopilotRecord, AutopilotSettings } from '../../../actors/autopilot/commands.ts'
import { autopilotRef } from '../../../actors/autopilot/index.ts'
import { formatDuration, parseDuration } from '../../config/durations.ts'
import { isRefused, type Result, refuse } from '../../kernel/refusal.ts'
import { decodeBody } from '../decode-body.ts'
import { type HttpReply, question, type Route } from '../route.ts'

/** GET /v1/operator/autopilot/configuration */
export const autopilotConfigurationRoute: Route = {
  method: 'GET',
  path: '/v1/operator/autopilot/configuration',
  ask: ({ token }) => question(autopilotRef, 'get', { token }),
  reply: (record: AutopilotRecord) => ({ json: shownSettings(record) }),
}

/** PUT /v1/operator/autopilot/configuration?cas= */
export const autopilotSetRoute: Route = {
  method: 'PUT',
  path: '/v1/operator/autopilot/configuration',
  ask({ body, query, token }) {
    const settings = settingsOf(body)
    if (isRefused(settings)) return badRequest(`Error parsing autopilot config: ${settings.why}`)
    const cas = query.get('cas')
    if (cas === null || cas === '') return question(autopilotRef, 'set', { settings, token })
    if (!/^\d{1,20}$/.test(cas)) {
      return badRequest(`Error parsing cas value: strconv.ParseUint: parsing ${JSON.stringify(cas)}: invalid syntax`)
    }
    return question(autopilotRef, 'set', { settings, cas: Number(cas), token })
  },
  reply: ({ applied }: { applied: boolean }) => ({ json: applied }),
}

export const operatorRoutes: readonly Route[] = [autopilotConfigurationRoute, autopilotSetRoute]

function shownSettings({ createIndex, modifyIndex, ...settings }: AutopilotRecord): object {
  return {
    CleanupDeadServers: settings.cleanupDeadServers,
    LastContactThreshold: formatDuration(settings.lastContactThresholdMs),
    MaxTrailingLogs: settings.maxTrailingLogs,
    MinQuorum: settings.minQuorum,
    ServerStabilizationTime: formatDuration(settings.serverStabilizationTimeMs),
    RedundancyZoneTag: settings.redundancyZoneTag,
    DisableUpgradeMigration: settings.disableUpgradeMigration,
    UpgradeVersionTag: settings.upgradeVersionTag,
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  }
}

/** What is not given is zero, as in Consul. */
function settingsOf(body: Buffer): Result<AutopilotSettings> {
  const decoded = decodeBody(body, SETTINGS_FIELDS)
  if (isRefused(decoded)) return decoded
  const contact = durationOf(decoded.LastContactThreshold)
  if (isRefused(contact)) return contact
  const stable = durationOf(decoded.ServerStabilizationTime)
  if (isRefused(stable)) return stable
  const counts = [decoded.MaxTrailingLogs ?? 0, decoded.MinQuorum ?? 0]
  const odd = counts.find((count) => !Number.isSafeInteger(count) || count < 0)
  if (odd !== undefined) return refuse('invalid', `json: cannot unmarshal number ${odd} into a field of type uint`)
  return {
    cleanupDeadServers: decoded.CleanupDeadServers ?? false,
    lastContactThresholdMs: contact,
    maxTrailingLogs: decoded.MaxTrailingLogs ?? 0,
    minQuorum: decoded.MinQuorum ?? 0,
    serverStabilizationTimeMs: stable,
    redundancyZoneTag: decoded.RedundancyZoneTag ?? '',
    disableUpgradeMigration: decoded.DisableUpgradeMigration ?? false,
    upgradeVersionTag: decoded.UpgradeVersionTag ?? '',
  }
}

const SETTINGS_FIELDS = {
  CleanupDeadServers: 'boolean',
  LastContactThreshold: 'any',
  MaxTrailingLogs: 'number',
  MinQuorum: 'number',
  ServerStabilizationTime: 'any',
  RedundancyZoneTag: 'string',
  DisableUpgradeMigration: 'boolean',
  UpgradeVersionTag: 'string',
  CreateIndex: 'ignored',
  ModifyIndex: 'ignored',
} as const

/** In Go's notation, or a number of nanoseconds. */
function durationOf(value: unknown): Result<number> {
  if (value === undefined) return 0
  if (typeof value === 'number') return value / NANOSECONDS_PER_MS
  return typeof value === 'string' ? parseDuration(value) : refuse('invalid', 'json: a duration is a text or a number')
}

const NANOSECONDS_PER_MS = 1e6

function badRequest(text: string): HttpReply {
  return { status: 400, text: `Bad request: ${text}` }
}
