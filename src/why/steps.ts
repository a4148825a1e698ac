import { applicationStep, sidecarStep, upstreamStep } from './connection-steps.ts'
import { catalogStep, dnsStep, healthStep } from './discovery-steps.ts'
import type { Step, WhyFacts } from './facts.ts'
import { decisionsStep, intentionStep, leafStep, rootsStep } from './trust-steps.ts'

export type Why = {
  source: string
  destination: string
  /** Nothing is broken as far as it can be seen. */
  works: boolean
  /** The first link that is broken. */
  broken: Step | undefined
  /** In the order in which a connection needs them. */
  steps: Step[]
}

/** Walks the links between two services. */
export function whyOf(facts: WhyFacts): Why {
  const steps = STEPS.map((step) => step(facts))
  steps.push(decisionsStep(facts, steps))
  const broken = steps.find(({ state }) => state === 'broken')
  return { source: facts.source, destination: facts.destination, works: broken === undefined, broken, steps }
}

const STEPS: readonly ((facts: WhyFacts) => Step)[] = [
  catalogStep,
  healthStep,
  dnsStep,
  upstreamStep,
  leafStep,
  sidecarStep,
  rootsStep,
  intentionStep,
  applicationStep,
]
