// Prints the entries of a feed as a JavaScript parser reads them: node read.mjs feedsmith|rss-parser FILE
import { readFileSync } from 'node:fs'

const [name, file] = process.argv.slice(2)
const text = readFileSync(file, 'utf8')
const list = (value) => (value === undefined || value === null ? [] : [value].flat())

async function feedsmith() {
  const { parseFeed } = await import('feedsmith')
  const { format, feed } = parseFeed(text)
  const media = (item) => list(item.media?.contents).map((one) => one.url)
  if (format === 'rss') {
    return feed.items.map((item) => ({
      id: item.guid?.value,
      title: item.title,
      authors: list(item.dc?.creators ?? item.dc?.creator),
      date: item.pubDate,
      content: item.content?.encoded,
      image: media(item)[0],
      enclosure: item.enclosures?.[0]?.url,
      categories: list(item.categories).map((one) => one.name),
    }))
  }
  if (format === 'atom') {
    return feed.entries.map((item) => ({
      id: item.id,
      title: item.title?.value ?? item.title,
      authors: list(item.authors).map((one) => one.name),
      date: item.published,
      content: item.content?.value ?? item.content,
      image: media(item)[0],
      enclosure: item.links.find((one) => one.rel === 'enclosure')?.href,
      categories: list(item.categories).map((one) => one.term),
    }))
  }
  return feed.items.map((item) => ({
    id: item.id,
    title: item.title,
    authors: list(item.authors).map((one) => one.name),
    date: item.date_published,
    content: item.content_html,
    image: item.image,
    enclosure: item.attachments?.[0]?.url,
    categories: list(item.tags),
  }))
}

async function rssParser() {
  const { default: Parser } = await import('rss-parser')
  const feed = await new Parser({ customFields: { item: ['media:content'] } }).parseString(text)
  return feed.items.map((item) => ({
    id: item.guid ?? item.id,
    title: item.title,
    authors: list(item.creator ?? item.author),
    date: item.isoDate,
    content: item['content:encoded'] ?? item.content,
    image: item['media:content']?.$?.url,
    enclosure: item.enclosure?.url,
    categories: list(item.categories).map((one) => one.$?.term ?? one._ ?? one),
  }))
}

console.log(JSON.stringify(await (name === 'feedsmith' ? feedsmith() : rssParser())))
