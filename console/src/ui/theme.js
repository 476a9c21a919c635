// Light, dark, or as the system is; remembered by the browser.
import { effect, signal } from '@preact/signals';

const KEY = 'fedlet-theme';
export const theme = signal(localStorage.getItem(KEY) ?? 'system');

effect(() => {
  if (theme.value === 'system') {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, theme.value);
    document.documentElement.dataset.theme = theme.value;
  }
});
