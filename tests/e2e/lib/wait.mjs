// Waiting with a bound, and an error that says for what.

/**
 * The result of a promise, or an error that tells what did not come within so many seconds.
 * @template T
 * @param {number} seconds
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function within(seconds, what, promise) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what}`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Calls `look` until it returns something true, which it returns.
 * @template T
 * @param {number} seconds
 * @param {string} what
 * @param {() => T | Promise<T>} look
 * @returns {Promise<NonNullable<Exclude<T, false>>>}
 */
export async function eventually(seconds, what, look) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return /** @type {any} */ (seen);
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Seconds that some work took, to a tenth.
 * @param {Promise<unknown>} work
 */
export async function timed(work) {
  const start = performance.now();
  await work;
  return Math.round((performance.now() - start) / 100) / 10;
}
