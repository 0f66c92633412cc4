// A client that reads a result row by row, by mysql2: what reads.py is for Python, with the same orders and answers.
//
// `mysql2.js HOST PORT QUERY`. While nobody takes rows from the stream, mysql2 has its connection paused.

const mysql = require('mysql2');
const readline = require('readline');

const [host, port, query] = process.argv.slice(2);
const tell = (what, more) => console.log(JSON.stringify({ what, ...more }));
const connection = mysql.createConnection({ host, port: Number(port), user: 'reader', database: 'story' });
// The stream neither fails nor ends when the connection is lost: that is told of the connection alone.
const lost = new Promise((_, reject) => connection.on('error', reject));
lost.catch(() => {});
let stream;
let count = 0;

const fetch = async (rows) => {
  while (rows-- > 0) {
    if ((await stream.next()).done) return;
    count += 1;
  }
};

const orders = {
  query: async () => {
    stream = connection.query(query).stream()[Symbol.asyncIterator]();
    await fetch(1);
  },
  more: () => fetch(4000),
  rest: () => fetch(Infinity),
};

const obey = async () => {
  for await (const order of readline.createInterface({ input: process.stdin })) {
    const began = Date.now() / 1000;
    const times = () => ({ began, ended: Date.now() / 1000 });
    try {
      await Promise.race([orders[order](), lost]);
      tell('done', { rows: count, ...times() });
    } catch (error) {
      tell('failed', { error: String(error), ...times() });
      break;
    }
  }
  process.exit();
};

connection.connect((error) => {
  if (error) throw error;
  tell('connected', { pid: process.pid, port: connection.stream.localPort, thread_id: connection.threadId });
  obey();
});
