/** Something that every run has its own of, made when it is first asked for. */
export function perRun<Run extends object, Own>(create: (run: Run) => Own): (run: Run) => Own {
  const known = new WeakMap<Run, Own>()
  return (run) => {
    let own = known.get(run)
    if (own === undefined) known.set(run, (own = create(run)))
    return own
  }
}
