import { api, byId } from './lib.js';

/** What an application does with the hub, with an example of each. */
const ACTIONS = new Map([
  ['notify', { user: 'ada', title: 'Welcome', content: 'Good to see you' }],
  ['message', { from: 'bob', to: 'ada', text: 'Lunch?' }],
  ['progress', { user: 'ada', kind: 'upload', task: 'photo.jpg', percent: 40 }],
  ['follow', { user: 'ada', item: 'challenge_42' }],
  ['unfollow', { user: 'ada', item: 'challenge_42' }],
  ['update', { item: 'challenge_42', kind: 'rank', data: ['ada', 'bob'] }],
  ['maintenance', { text: 'At ten we are away for a minute' }],
  ['alert', { text: 'The disk is full' }],
  ['friends', { user: 'ada', friends: ['bob'] }],
]);

export function offerActions() {
  const [form, action, body] = [byId('app-form'), byId('app-action'), byId('app-body')];
  ACTIONS.forEach((_, name) => action.add(new Option(name)));
  const showExample = () => {
    body.value = JSON.stringify(ACTIONS.get(action.value), null, 2);
  };
  action.addEventListener('change', showExample);
  showExample();
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const result = byId('app-result');
    try {
      result.textContent = JSON.stringify(await api.act(action.value, body.value));
      result.dataset.ok = true;
    } catch (error) {
      result.textContent = error.message;
      result.dataset.ok = false;
    }
  });
}
