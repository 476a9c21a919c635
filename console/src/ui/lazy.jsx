// A page whose code is loaded when it is first shown.
import { useEffect, useState } from 'preact/hooks';

export function lazy(load) {
  let loaded;
  return function Lazy(props) {
    const [View, setView] = useState(() => loaded);
    const [error, setError] = useState();
    useEffect(() => {
      if (View) return;
      load().then(
        (module) => {
          loaded = module.default;
          setView(() => loaded);
        },
        setError,
      );
    }, []);
    if (View) return <View {...props} />;
    // After an upgrade of the hub the old page's parts are gone; what is new comes with a reload.
    if (error) return <p class="alert" role="alert">This part of the page did not load; reload it. ({error.message})</p>;
    return <p class="empty" role="status">Loading …</p>;
  };
}
