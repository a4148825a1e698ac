import test from 'ava'
import type { ReloadablePart } from '../../src/config/config.ts'
import { reloadDifference } from '../../src/config/reload.ts'
import { configOf } from './kit.ts'

const START = 'service { name = "a" }\nnode_meta { x = "1" }\nlog_level = "info"\n'
const CHANGES: [added: string, changed: ReloadablePart[], needsRestart: string[]][] = [
  ['', [], []],
  ['services { name = "b" }', ['services'], []],
  ['check { name = "c" ttl = "1s" }', ['checks'], []],
  ['log_level = "warn"', ['log level'], []],
  ['node_meta { y = "2" }', ['node meta'], []],
  ['dns_config { node_ttl = "5s" }\nrecursors = ["1.1.1.1"]', ['dns'], []],
  ['limits { http_max_conns_per_client = 5 }', ['limits'], []],
  ['discard_check_output = true', ['check output'], []],
  ['watches = [{ type = "nodes" args = ["true"] }]', ['watches'], []],
  ['telemetry { prefix_filter = ["-a"] }', ['telemetry filters'], []],
  ['config_entries { bootstrap = [{ kind = "service-defaults" name = "a" }] }', ['config entries'], []],
  ['raft_trailing_logs = 7\ngossip_lan { gossip_nodes = 9 }\nserver_name = "x"', [], []],
  ['ports { http = 1 }\nnode_name = "other"', [], ['node_name', 'ports.http']],
]
for (const [added, changed, needsRestart] of CHANGES) {
  test(`a reload with ${added === '' ? 'nothing new' : JSON.stringify(added)}`, (t) => {
    const args = ['-dev', '-config-file', 'a.hcl', '-config-file', 'b.hcl']
    const old = configOf(t, args, { 'a.hcl': START, 'b.hcl': '' })
    const now = configOf(t, args, { 'a.hcl': START, 'b.hcl': added })
    t.deepEqual(reloadDifference(old, now), { changed, needsRestart })
  })
}
