// Check an issue with external validators: node look.mjs PROGRAM < file > json
import { readFileSync } from 'node:fs';

const input = readFileSync(0);
const programs = {
  async caniemail() {
    const { caniemail } = await import('caniemail');
    const clients = ['gmail.*', 'outlook.*', 'apple-mail.*', 'yahoo.*'];
    // The program throws if its data lacks an entry, such as word-wrap in Gmail for iOS.
    const html = input.toString().replaceAll(/word-wrap: ?break-word;? ?/g, '').replaceAll('overflow-;', '');
    const { issues } = caniemail({ clients, html });
    const titles = new Set();
    for (const found of issues.errors.values()) for (const one of found) titles.add(one.title);
    return [...titles].sort();
  },
  async htmlvalidate() {
    const { HtmlValidate } = await import('html-validate');
    const checker = new HtmlValidate({
      extends: ['html-validate:recommended', 'html-validate:a11y'],
      rules: {
        // An email has inline styles, table layouts, and duplicate markup for different mail clients.
        'no-inline-style': 'off',
        'no-deprecated-attr': 'off',
        'attr-quotes': 'off',
        'void-style': 'off',
        'doctype-style': 'off',
        'no-trailing-whitespace': 'off',
        'no-raw-characters': 'off',
        'attribute-boolean-style': 'off',
        'no-implicit-close': 'off',
        'long-title': 'off',
        'aria-label-misuse': ['error', { allowAnyNamable: true }],
        'no-redundant-role': 'off',
        'no-conditional-comment': 'off',
        'prefer-native-element': 'off',
        'tel-non-breaking': 'off',
        'presentation-role-style': 'off',
        'prefer-tbody': 'off',
      },
    });
    const report = await checker.validateString(input.toString());
    return report.results.flatMap(result => result.messages.map(one => `${one.ruleId}: ${one.message}: ${one.line}`));
  },
  async mailparser() {
    const { simpleParser } = await import('mailparser');
    const mail = await simpleParser(input, { skipImageLinks: true });
    return {
      subject: mail.subject,
      from: mail.from.value,
      date: mail.date.toISOString(),
      messageId: mail.messageId,
      html: mail.html,
      text: mail.text,
      list: mail.headers.get('list'),
      attachments: mail.attachments.length,
    };
  },
};
process.stdout.write(JSON.stringify(await programs[process.argv[2]]()));
