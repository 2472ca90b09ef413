import type { z } from 'zod'
import type { Problems } from './problems.ts'
import { readNode } from './read-node.ts'
import type { SourceNode } from './source.ts'

/**
 * What could be read of a value of schema `S`: keys that are missing or wrong are undefined, so that checks over several keys
 * go on beside them. Maps with free keys are `Map`s: a key of the file never meets an object's prototype.
 */
export type Draft<S> =
  S extends z.ZodOptional<infer I extends z.ZodType>
    ? Draft<I> | undefined
    : S extends z.ZodPrefault<infer I extends z.ZodType>
      ? Draft<I>
      : S extends z.ZodObject<infer Shape>
        ? { readonly [K in keyof Shape]: Draft<Shape[K]> | undefined }
        : S extends z.ZodArray<infer E extends z.ZodType>
          ? readonly (Draft<E> | undefined)[]
          : S extends z.ZodRecord<z.ZodString, infer V extends z.ZodType>
            ? ReadonlyMap<string, Draft<V> | undefined>
            : S extends z.ZodUnion<infer O>
              ? Draft<O[number]>
              : z.output<S>

/** A {@link Draft} in which nothing is missing. */
export type Complete<S> =
  S extends z.ZodOptional<infer I extends z.ZodType>
    ? Complete<I> | undefined
    : S extends z.ZodPrefault<infer I extends z.ZodType>
      ? Complete<I>
      : S extends z.ZodObject<infer Shape>
        ? { readonly [K in keyof Shape]: Complete<Shape[K]> }
        : S extends z.ZodArray<infer E extends z.ZodType>
          ? readonly Complete<E>[]
          : S extends z.ZodRecord<z.ZodString, infer V extends z.ZodType>
            ? ReadonlyMap<string, Complete<V>>
            : S extends z.ZodUnion<infer O>
              ? Complete<O[number]>
              : z.output<S>

/** Reads `node` by `schema` and reports every problem at its own place. Checks that need several keys come after. */
export function readDraft<S extends z.ZodObject>(
  schema: S,
  node: SourceNode,
  problems: Problems,
): Draft<S> | undefined {
  // The only place where the walk below, which no type can follow, meets the type that describes it.
  return readNode(schema, node, [], problems) as Draft<S> | undefined
}

/** Seals a draft that gave no problem: then nothing in it is missing. */
export function sealDraft<S>(draft: Draft<S>): Complete<S> {
  return draft as unknown as Complete<S>
}
