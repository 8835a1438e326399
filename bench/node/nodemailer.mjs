// node nodemailer.mjs PORT COUNT CONNECTIONS FOLDER [KEY]: messages a second of a pooled transport that composes each.
import fs from 'node:fs'
import nodemailer from 'nodemailer'

const [port, count, connections, folder, key] = process.argv.slice(2)
const text = fs.readFileSync(`${folder}/message.txt`, 'utf8')
const html = fs.readFileSync(`${folder}/index.html`, 'utf8')
const dkim = key && { domainName: 'bench.example', keySelector: 's', privateKey: fs.readFileSync(key, 'utf8') }
const transport = nodemailer.createTransport({
  host: '127.0.0.1', port: Number(port), secure: false, ignoreTLS: true, pool: true,
  maxConnections: Number(connections), maxMessages: Infinity, ...(dkim ? { dkim } : {}),
})
const began = process.hrtime.bigint()
const jobs = []
for (let number = 0; number < Number(count); number += 1) {
  jobs.push(transport.sendMail({
    from: 'news@bench.example', to: `r${number}@d.example`, subject: 'The Daily',
    text: text.replace('readers', String(number)), html: html.replace('readers', String(number)),
  }))
}
await Promise.all(jobs)
console.log(Number(count) / (Number(process.hrtime.bigint() - began) / 1e9))
transport.close()
