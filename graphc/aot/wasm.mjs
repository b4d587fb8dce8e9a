/* $LIBRARY.mjs: made by graphc; do not edit. Loads $LIBRARY.wasm in browsers and in Node. */
const FILE_OF_WEIGHTS = $WEIGHTS_BYTES;
const KNOWN = {
$FUNCTIONS,
};

async function bytesOf(source) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return source;
  if (typeof source === "string") source = new URL(source, import.meta.url);
  if (source instanceof URL && source.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return readFile(source);
  }
  const answer = source instanceof URL ? await fetch(source) : await source;
  if (!answer.ok) throw new Error(`$LIBRARY: ${answer.url} cannot be read: ${answer.status}`);
  return answer.arrayBuffer();
}

/* The functions of the library in `source`: its bytes, or where they are. */
export async function load(source, weights) {
  const { instance } = await WebAssembly.instantiate(await bytesOf(source), {});
  const { memory, ...code } = instance.exports;
  const up = (place) => Math.ceil(place / $ALIGN) * $ALIGN;
  let first = up(Number(code.__heap_base.value));
  const room = (end) => {
    const lacking = end - memory.buffer.byteLength;
    if (lacking > 0) memory.grow(Math.ceil(lacking / 65536));
  };
  let weightsAt = 0;
  if (FILE_OF_WEIGHTS) {
    const content = ArrayBuffer.isView(weights) ? weights : new Uint8Array(weights ?? 0);
    if (content.byteLength !== FILE_OF_WEIGHTS)
      throw new Error(`$LIBRARY: the weights are ${content.byteLength} bytes, not ${FILE_OF_WEIGHTS}`);
    room(first + FILE_OF_WEIGHTS);
    new Uint8Array(memory.buffer, first, FILE_OF_WEIGHTS).set(content);
    weightsAt = first;
    first = up(first + FILE_OF_WEIGHTS);
  }
  const text = (place) => {
    const bytes = new Uint8Array(memory.buffer, place);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  };
  const fail = (name, error) => {
    throw Object.assign(new Error(`$LIBRARY.${name}: ${text(code.$LIBRARY_strerror(error))}`), {
      code: error,
    });
  };

  const made = {};
  for (const [name, facts] of Object.entries(KNOWN)) {
    made[name] = (given) => {
      const extents = facts.extents.map((key) => {
        if (!Number.isSafeInteger(given?.[key])) throw new TypeError(`${name}: ${key} is no integer`);
        return BigInt(given[key]);
      });
      let end = first;
      const take = (bytes) => {
        const place = end;
        end = up(end + bytes);
        return place;
      };
      const needed = Number(code[`$LIBRARY_${name}_workspace_bytes`](...extents));
      if (needed < 0) fail(name, -needed);
      const inputs = facts.inputs.map((one) => {
        const value = given[one.name];
        if (one.by_value) {
          const kind = one.wide ? "bigint" : "number";
          if (typeof value !== kind && typeof value !== "boolean")
            throw new TypeError(`${name}: ${one.name} is a ${typeof value}, expected a ${kind}`);
          return { one, value };
        }
        const count = one.count(given);
        if (!(value instanceof one.type) || value.length !== count)
          throw new TypeError(`${name}: ${one.name} must be a ${one.type.name} of ${count} elements`);
        return { one, value, place: take(value.byteLength) };
      });
      const outputs = facts.outputs.map((one) => {
        if (one.alias >= 0) return { one, place: inputs[one.alias].place };
        return { one, place: take(one.count(given) * one.type.BYTES_PER_ELEMENT) };
      });
      const workspace = take(needed);
      room(end);
      for (const { one, value, place } of inputs)
        if (!one.by_value) new one.type(memory.buffer, place, value.length).set(value);
      const error = code[`$LIBRARY_${name}`](
        ...extents,
        ...(FILE_OF_WEIGHTS ? [weightsAt] : []),
        ...inputs.map(({ one, value, place }) => (one.by_value ? value : place)),
        ...outputs.filter(({ one }) => one.alias < 0).map(({ place }) => place),
        workspace,
        BigInt(needed),
      );
      if (error) fail(name, error);
      const result = {};
      for (const { one, place } of outputs) {
        const found = new one.type(memory.buffer, place, one.count(given));
        if (one.alias >= 0) inputs[one.alias].value.set(found);
        result[one.name] = one.alias >= 0 ? inputs[one.alias].value : found.slice();
      }
      return result;
    };
  }
  return made;
}
