/** The same things in an order drawn evenly from all orders (Fisher and Yates). `chance` gives floats in [0, 1). */
export function shuffled<Thing>(things: readonly Thing[], chance: () => number): Thing[] {
  const order = [...things]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(chance() * (last + 1))
    const kept = order[last]!
    order[last] = order[other]!
    order[other] = kept
  }
  return order
}
