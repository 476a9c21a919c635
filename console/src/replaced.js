// An object with another spec, to be put in the place of the stored one. Pure.

/**
 * Nothing but the spec changes: finalizers, owners, labels and annotations that a PUT leaves out are taken away. Its
 * resourceVersion says over what it goes, so that what somebody else wrote meanwhile is not lost.
 */
export function withSpec(stored, { apiVersion, kind, spec }) {
  const { managedFields, ...metadata } = stored.metadata;
  return { apiVersion, kind, metadata, spec };
}
