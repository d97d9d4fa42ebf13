// Waiting with a bound, and an error that says for what.

/** The result of a promise, or an error that says what did not come within so many seconds. */
export async function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what}`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `look` until it returns something true, which it returns. */
export async function eventually(seconds, what, look) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Seconds that some work took, to a tenth. */
export async function timed(work) {
  const start = performance.now();
  await work;
  return Math.round((performance.now() - start) / 100) / 10;
}
