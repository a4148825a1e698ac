import { type Mutant, mutant } from './mutant.ts'

/** Asked by feeds and by their own outcomes, which always pass. */
const SMALL = ['feeds', 'events', 'proxies', 'proxy', 'checks']

export const mailboxTooSmall: Mutant = mutant({
  name: 'mailbox-too-small',
  about: 'some actors have no room for what always passes: nobody counts feeds and outcomes when they come',
  caughtBy: 'mailboxes-are-bounded',
  runsMax: 60,
  mutations: { wrapActor: (definition) => (SMALL.includes(definition.name) ? { ...definition, mailboxMax: 0 } : definition) },
})
