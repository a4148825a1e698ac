import { carryOut, type RunTask } from './campaign.ts'
import { mutants } from './mutants/index.ts'

/** A process of a campaign: it is sent tasks, one after the other, and sends back what came of each. */
process.on('message', (message) => {
  const task = message as RunTask
  process.send?.(
    carryOut(
      task,
      mutants.find(({ name }) => name === task.mutant),
    ),
  )
})
process.on('disconnect', () => process.exit())
