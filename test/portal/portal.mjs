// Walks through the portal as people do: both languages, on a desk and on a
// phone, and along every link. What is wrong is written as one line each; the
// exit status is 1 if there is anything.
//
// The argument is JSON: portal (URL), hosts (Chromium's resolver rules), pins
// (hashes of the keys whose certificates are good), logins ({prefix, username,
// password}), shots (directory for screenshots) and browser (program).
import { chromium } from 'playwright-core'

const ask = JSON.parse(process.argv[2])
const wrong = []
const patience = 180_000 // ms that a page may take on a busy machine
const browser = await chromium.launch({
  executablePath: ask.browser,
  timeout: patience,
  args: ['--no-sandbox', `--host-resolver-rules=${ask.hosts}`, `--ignore-certificate-errors-spki-list=${ask.pins.join(',')}`],
})
const sizes = {
  desk: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
}
const pages = { en: '/', zh: '/zh' }
const links = new Set()

async function newContext(options) {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(patience)
  return context
}

for (const [size, options] of Object.entries(sizes)) {
  const context = await newContext(options)
  for (const [lang, path] of Object.entries(pages)) {
    const where = `${path} (${size})`
    const page = await context.newPage()
    page.on('console', m => m.type() === 'error' && wrong.push(`${where}: console: ${m.text()}`))
    page.on('pageerror', e => wrong.push(`${where}: ${e.message}`))
    page.on('response', r => r.status() >= 400 && wrong.push(`${where}: ${r.url()} answers ${r.status()}`))
    await page.goto(new URL(path, ask.portal).href)
    const seen = await page.evaluate(() => ({
      lang: document.documentElement.lang,
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      cards: document.querySelectorAll('.card').length,
      small: [...document.querySelectorAll('a.card')].filter(a => a.getBoundingClientRect().height < 40).length,
      links: [...document.querySelectorAll('a[href]')].map(a => a.href),
    }))
    if (seen.lang !== lang) wrong.push(`${where}: it is in ${seen.lang}`)
    if (seen.wide > 0) wrong.push(`${where}: it is ${seen.wide} pixels wider than the screen`)
    if (seen.cards === 0) wrong.push(`${where}: it has no cards`)
    if (seen.small > 0) wrong.push(`${where}: ${seen.small} cards are too small for a finger`)
    seen.links.forEach(l => links.add(l))
    await page.screenshot({ path: `${ask.shots}/${lang}-${size}.png`, fullPage: true })
    await page.locator('header a').click()
    // A click does not wait for the page that it leads to.
    await page.waitForFunction(was => ![was, ''].includes(document.documentElement.lang), lang)
      .catch(() => wrong.push(`${where}: the link to the other language stays in ${lang}`))
    await page.close()
  }
  await context.close()
}

async function follow(link) {
  const login = ask.logins.find(l => link.startsWith(l.prefix))
  const context = await newContext(login ? { httpCredentials: login } : {})
  const page = await context.newPage()
  try {
    const answer = await page.goto(link, { waitUntil: 'domcontentloaded' })
    if (!answer || answer.status() >= 400) wrong.push(`the link to ${link} answers ${answer?.status()}`)
  } catch (e) {
    if (!e.message.includes('Download is starting')) wrong.push(`the link to ${link}: ${e.message.split('\n')[0]}`)
  }
  await context.close()
}

const left = [...links]
const followAll = async () => { while (left.length > 0) await follow(left.pop()) }
await Promise.all(Array.from({ length: 4 }, followAll)) // a few at a time: the machine has to serve them, too
await browser.close()
wrong.forEach(line => console.log(line))
console.log(`${links.size} links, ${Object.keys(pages).length} languages, ${Object.keys(sizes).length} sizes`)
process.exit(wrong.length > 0 ? 1 : 0)
