import type { Route } from '../route.ts'
import { aclRoutes } from './acl.ts'
import {
  agentChecksRoute,
  checkDeregisterRoute,
  checkFailRoute,
  checkPassRoute,
  checkRegisterRoute,
  checkUpdateRoute,
  checkWarnRoute,
} from './agent-checks.ts'
import { healthByIdRoute, healthByNameRoute } from './agent-health.ts'
import { leaveRoute, reloadRoute } from './agent-life.ts'
import { agentRuntimeRoutes } from './agent-runtime.ts'
import { agentMembersRoute, agentSelfRoute } from './agent-self.ts'
import {
  agentServiceRoute,
  agentServicesRoute,
  nodeMaintenanceRoute,
  serviceDeregisterRoute,
  serviceMaintenanceRoute,
  serviceRegisterRoute,
} from './agent-services.ts'
import {
  catalogConnectRoute,
  catalogNodeRoute,
  catalogNodeServicesRoute,
  catalogNodesRoute,
  catalogServiceRoute,
  catalogServicesRoute,
  datacentersRoute,
} from './catalog.ts'
import { catalogDeregisterRoute, catalogRegisterRoute } from './catalog-changes.ts'
import { configDeleteRoute, configReadRoute, configWriteRoute } from './config-entries.ts'
import { authorizeRoute, leafRoute } from './connect-agent.ts'
import { agentCaRootsRoute, caAbortRoute, caConfigurationRoute, caConfigureRoute, caRootsRoute } from './connect-ca.ts'
import { caStatusRoute } from './connect-ca-status.ts'
import { connectWhyRoute } from './connect-why.ts'
import { coordinateDatacentersRoute, coordinateNodeRoute, coordinateNodesRoute, coordinateUpdateRoute } from './coordinates.ts'
import { decisionsPutRoute, decisionsRoute } from './decisions.ts'
import { discoveryChainOverrideRoute, discoveryChainRoute } from './discovery-chain.ts'
import { enforcementRoute, expiryRoute } from './enforcement.ts'
import { eventFireRoute, eventListRoute } from './events.ts'
import {
  federationGatewaysRoute,
  federationStateRoute,
  federationStatesRoute,
  gatewayServicesRoute,
  healthIngressRoute,
} from './gateways.ts'
import { gossipRoutes } from './gossip.ts'
import { healthChecksRoute, healthConnectRoute, healthNodeRoute, healthServiceRoute, healthStateRoute } from './health.ts'
import { intentionExplainRoute } from './intention-explain.ts'
import { intentionRoutes } from './intentions.ts'
import { keyringRoutes } from './keyring.ts'
import { kvDeleteRoute, kvGetRoute, kvPutRoute } from './kv.ts'
import { managedProxyRoute } from './managed-proxy.ts'
import { operatorRoutes } from './operator.ts'
import { operatorServersRoutes } from './operator-servers.ts'
import { proxiesRoute } from './proxies.ts'
import { queryRoutes } from './queries.ts'
import { reportEndRoute, reportRoute } from './report.ts'
import { sessionRoutes } from './sessions.ts'
import { snapshotRestoreRoute, snapshotSaveRoute } from './snapshot.ts'
import { leaderRoute, peersRoute } from './status.ts'
import { actorsRoute } from './tribune.ts'
import { txnRoute } from './txn.ts'

/** Every endpoint. */
export const routes: readonly Route[] = [
  kvGetRoute,
  kvPutRoute,
  kvDeleteRoute,
  txnRoute,
  snapshotSaveRoute,
  snapshotRestoreRoute,
  ...sessionRoutes,
  leaderRoute,
  peersRoute,
  datacentersRoute,
  catalogNodesRoute,
  catalogServicesRoute,
  catalogServiceRoute,
  catalogConnectRoute,
  catalogNodeRoute,
  catalogNodeServicesRoute,
  catalogRegisterRoute,
  catalogDeregisterRoute,
  healthNodeRoute,
  healthChecksRoute,
  healthStateRoute,
  healthServiceRoute,
  healthConnectRoute,
  healthIngressRoute,
  gatewayServicesRoute,
  discoveryChainRoute,
  discoveryChainOverrideRoute,
  federationStatesRoute,
  federationGatewaysRoute,
  federationStateRoute,
  coordinateDatacentersRoute,
  coordinateNodesRoute,
  coordinateNodeRoute,
  coordinateUpdateRoute,
  agentSelfRoute,
  agentMembersRoute,
  agentServicesRoute,
  agentServiceRoute,
  serviceRegisterRoute,
  serviceDeregisterRoute,
  serviceMaintenanceRoute,
  nodeMaintenanceRoute,
  agentChecksRoute,
  checkRegisterRoute,
  checkDeregisterRoute,
  checkPassRoute,
  checkWarnRoute,
  checkFailRoute,
  checkUpdateRoute,
  healthByIdRoute,
  healthByNameRoute,
  reloadRoute,
  leaveRoute,
  ...agentRuntimeRoutes,
  actorsRoute,
  proxiesRoute,
  decisionsRoute,
  decisionsPutRoute,
  reportRoute,
  reportEndRoute,
  ...gossipRoutes,
  connectWhyRoute,
  caRootsRoute,
  agentCaRootsRoute,
  caConfigurationRoute,
  caConfigureRoute,
  caAbortRoute,
  caStatusRoute,
  leafRoute,
  authorizeRoute,
  managedProxyRoute,
  ...queryRoutes,
  eventFireRoute,
  eventListRoute,
  ...intentionRoutes,
  enforcementRoute,
  expiryRoute,
  intentionExplainRoute,
  ...aclRoutes,
  configWriteRoute,
  configReadRoute,
  configDeleteRoute,
  ...operatorRoutes,
  ...keyringRoutes,
  ...operatorServersRoutes,
]
