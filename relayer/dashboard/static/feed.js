// The board as it changes: a stream of server-sent events, or a question every few seconds where no stream is to be had.

const SILENCE = 40_000; // ms without a word until the line counts as dead; the server speaks every 15 s
const POLL = 5_000; // ms between two questions without a stream
const RETRY = [1_000, 2_000, 5_000, 10_000]; // ms until the next try, by the number of failures in a row

/** Follows the board from deal `first` on. `onBoard(board)` for each new one, `onLost(words)` when there is none. */
export class Feed {
  constructor(onBoard, onLost) {
    this.onBoard = onBoard;
    this.onLost = onLost;
    this.stopper = null;
  }

  /** Begin, or begin anew with other deals. */
  follow(first) {
    this.stopper?.abort();
    this.stopper = new AbortController();
    this.run(first, this.stopper.signal);
  }

  async run(first, signal) {
    let failures = 0;
    while (!signal.aborted) {
      let pause = RETRY[Math.min(failures, RETRY.length - 1)];
      try {
        await this.stream(first, signal, () => (failures = 0));
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        if (error instanceof TooMany) pause = await this.poll(first, signal);
        else this.onLost(error.message);
      }
      await sleep(pause);
    }
  }

  async stream(first, signal, alive) {
    const silence = new AbortController();
    const answer = await fetch(`/board/events?first=${first}`, { signal: AbortSignal.any([signal, silence.signal]) });
    if (answer.status === 503) throw new TooMany();
    if (!answer.ok) throw new Error(`the party answers ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let timer = setTimeout(() => silence.abort(), SILENCE);
    for (;;) {
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) throw new Error("the party closed the connection");
      alive();
      timer = setTimeout(() => silence.abort(), SILENCE);
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) this.take(event);
    }
  }

  take(event) {
    const data = event.split("\n").filter((line) => line.startsWith("data: "));
    if (data.length) this.onBoard(JSON.parse(data.map((line) => line.slice(6)).join("\n")));
  }

  async poll(first, signal) {
    try {
      this.onBoard(await get(`/board?first=${first}`, signal));
    } catch (error) {
      if (!signal.aborted) this.onLost(error.message);
    }
    return POLL;
  }
}

class TooMany extends Error {}

/** The JSON at a path. */
export async function get(path, signal) {
  const answer = await fetch(path, { signal });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function sleep(time) {
  return new Promise((resolve) => setTimeout(resolve, time));
}
