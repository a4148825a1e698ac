/** Stands for a process of a campaign that ends in the middle of its work. */
process.on('message', () => {
  process.stderr.write('out of ideas\n')
  process.exit(3)
})
