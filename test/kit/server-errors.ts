/**
 * What Consul answers with 500, although whoever asked is wrong, by the beginning of the path. Everything else that is wrong with
 * a request has a status below. Source: http-api, and for Go's own texts the functions they name.
 */
const SERVER_ERRORS: readonly [under: string, texts: readonly RegExp[]][] = [
  ['/v1/', [/^No path to datacenter$/, /^Failed to create boolean expression evaluator: /]],
  ['/v1/kv/', [/^strconv\.ParseUint: parsing /, /^raft apply failed: /]],
  [
    '/v1/session/',
    [
      /^failed session lookup: index error: /,
      /^Invalid Session TTL '-?\d+', must be between \[/,
      /^Session TTL '.*' invalid: time: /s,
      /^Invalid Behavior setting '/,
      /^Must provide Node$/,
      /^apply failed: (Missing node registration$|Missing check '|Check ')/,
    ],
  ],
  [
    '/v1/event/',
    [
      /^Cannot provide tag filter without service filter$/,
      /^Invalid (node|service|tag) filter: /,
      /^(encoded )?user event exceeds configured limit of 512 bytes/,
    ],
  ],
  [
    '/v1/query',
    [
      /^(Prepared Query lookup failed: )?failed prepared query lookup: index error: /,
      /^Cannot modify non-existent prepared query: '/,
      /^Invalid prepared query: /,
      /^raft apply failed: /,
      /^ID must be empty when creating a new prepared query$/,
      /^Bad limit: strconv\.Atoi: /,
      /^Error parsing 'connect' value: strconv\.ParseBool: /,
      /^Bad format '/,
    ],
  ],
  ['/v1/operator/keyring', [/^\d+ errors? occurred:\n(\t\* .* error: .*\n)+\n$/s]],
  ['/v1/coordinate/update', [/^(incompatible|invalid) coordinate$/]],
  // Here the answer is 500, although its text begins as one of 400.
  ['/v1/agent/health/service/', [/^Bad request: Missing service(ID| Name)$/]],
  ['/v1/snapshot', [/^failed to (decompress|read) snapshot: /]],
  [
    '/v1/catalog/',
    [
      /^Must provide (node|address if SkipNodeUpdate is not set|service name with ID|check ID or name)$/,
      /^Bad node ID: /,
      /^Invalid (service address$|Weights: |Service Meta: |node metadata|check status: )/,
      /^failed inserting (check|node|service): /,
      /^Node name .* is reserved by node /s,
      /^check node .* does not match node /s,
      // Limits of our own.
      /^[\w ]+ (is too long \(\d+ > \d+ bytes\)|contains the character U\+\w+)$/,
    ],
  ],
  ['/v1/agent/service/register', [/^Scripts are disabled on this agent/]],
  ['/v1/agent/check/register', [/^Scripts are disabled on this agent/, /^ServiceID ".*" does not exist$/s]],
  ['/v1/agent/check/', [/^CheckID ".*" does not have associated TTL$/s]],
  ['/v1/agent/force-leave/', [/^agent: No node found with name '/]],
  ['/v1/agent/join/', [/^1 error occurred:\n\t\* Failed to join /]],
  ['/v1/agent/members', [/^Network segments are not supported in this version of Consul$/]],
  ['/v1/agent/connect/ca/leaf/', [/^URI must be either service or agent$/, /^Connect must be enabled in order to use this endpoint$/]],
  ['/v1/connect/ca/configuration', [/^could not initialize provider: unknown CA provider /, /^error configuring provider: /]],
  [
    '/v1/connect/intentions',
    [
      /^required query parameter '(by|name|source|destination)' not set$/,
      /^'by' parameter must be one of 'source' or 'destination'$/,
      /^unsupported SourceType: "/,
      /^Sources\[\d+\]/,
      /^Cannot (delete|modify) non-existent intention: '/,
      /^Cannot modify DestinationNS or DestinationName for an intention once it exists\.$/,
      /^\d+ errors? occurred:\n\t\* /,
      /^(Source|Destination)Name(: wildcard| must be set| is longer than \d+ characters$| has characters that are not allowed$)/,
      /^ID must be empty when creating a new intention$/,
    ],
  ],
  [
    '/v1/config',
    [
      /^invalid config entry kind: /,
      /^\d+ errors? occurred:\n\t\* /,
      /^Sources\[\d+\]/,
      /^At least one source is required$/,
      /^Name (is required|is longer than \d+ characters|has characters that are not allowed)$/,
    ],
  ],
  ['/v1/operator/raft/peer', [/^(id|address) ".*" was not found in the Raft configuration$/s]],
  ['/v1/operator/keyring', [/^\d+ errors occurred:\n\t\* .*Keyring is empty \(encryption not enabled\)/s]],
]

export function isServerError(path: string, text: string): boolean {
  return SERVER_ERRORS.some(([under, texts]) => path.startsWith(under) && texts.some((pattern) => pattern.test(text)))
}
