/** Who wants to hear that keys or revocations have changed. */
export interface ChangeListeners {
  /** Whether anybody does. */
  readonly some: boolean
  tell(): void
  /** Answers the way to end it. */
  subscribe(listener: () => void): () => void
  close(): void
}

interface Looking {
  readonly everyMs: number
  /** Called before the first of them listens. */
  readonly begin: () => void
  /** Called as often as that while somebody listens. */
  readonly look: () => void
}

/** Looks for what others have committed for as long as somebody wants to hear of it. */
export function createChangeListeners({ everyMs, begin, look }: Looking): ChangeListeners {
  const listeners = new Set<{ readonly listener: () => void }>()
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  return {
    get some() {
      return listeners.size > 0
    },
    tell: () => {
      for (const { listener } of [...listeners]) call(listener)
    },
    subscribe: (listener) => {
      const entry = { listener }
      if (listeners.size === 0) {
        begin()
        timer = setInterval(look, everyMs).unref()
      }
      listeners.add(entry)
      return () => {
        if (listeners.delete(entry) && listeners.size === 0) stop()
      }
    },
    close: () => {
      listeners.clear()
      stop()
    },
  }
}

/** A listener's fault is not the writer's, whose change stands; it surfaces on its own. */
function call(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
