// The wasm module's exports as node/host.js uses them; the build puts the real module at pkg/frostmesh.js.
import type { Snapshot, UiCommand } from "../../ui/types.js";

/** Loads frostmesh_bg.wasm from beside the module. */
export default function init(): Promise<unknown>;

export class Frostmesh {
  /** Calls `onSnapshot` at once and whenever the view changes. */
  static open(onSnapshot: (snapshot: Snapshot) => void): Promise<Frostmesh>;
  /** Resolves to the command's result or null; rejects with `{ code, message }`. */
  command(command: UiCommand): Promise<unknown>;
  snapshot(): Snapshot;
}
