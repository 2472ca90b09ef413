const waiting: (() => void)[] = []

/**
 * Resolves when the caller may look through its next slice of rows: of all calls of this process that look through many, one goes on in each
 * turn of the event loop, first come first. However many do, requests wait for one slice.
 */
export function nextSlice(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(letOneGo)
  })
}

function letOneGo(): void {
  const go = waiting[0]
  go?.()
  waiting.shift()
  if (waiting.length > 0) setImmediate(letOneGo)
}
