import numpy as np
from birdornot.novelty import *; from birdornot.head import *
E=np.load('/tmp/c1/data/emb.npz')
db,df,dt,pb,pn=E['drawn1_bird'],E['drawn1_forest'],E['drawn1_thing'],E['photo_bird'],E['photo_not_bird']
def loo(x,nv,corr):
    a=nv(x)*TYP  # unnormalised
for name,a,b,f in (('drawn',db,df,dt),('mix',np.r_[db,pb],df,pn),('real',pb,df[:40],pn),('photo',pb,pn,dt)):
    x=np.r_[a,b]; y=np.r_[np.zeros(len(a),int),np.ones(len(b),int)]
    for ntr in (40,64,130):
        if ntr>len(x)*.8: continue
        R=[]
        for s in range(10):
            r=np.random.default_rng(s).permutation(len(x)); tr,te=r[:ntr],r[ntr:]
            fo=stratified_folds(y[tr],np.arange(ntr),5,s); fo10=stratified_folds(y[tr],np.arange(ntr),20,s)
            nv=fit_novelty(x[tr]); ht=nv(x[te]); 
            # sherman-morrison: novelty normalised by typical → need absolute. recompute typical
            z=(x[tr]-nv.mean)/nv.scale; z/=np.linalg.norm(z,axis=1,keepdims=True); off=z-nv.centre
            width=10*(off*off).sum()/off.size; typ=1/width/nv.step
            aa=nv(x[tr])*typ; n=ntr
            lo=(aa/(1-np.minimum(aa/n,.99)))*(n/(n-1))**2/typ
            thr={'5fold':np.quantile(left_out_novelty(x[tr],fo),.95),'20fold':np.quantile(left_out_novelty(x[tr],fo10),.95),'loo':np.quantile(lo,.95),'held':np.quantile(ht,.95)}
            fv=nv(f)
            R.append([ (ht<=t).mean() for t in thr.values()]+[(fv>t).mean() for t in thr.values()])
        m=np.mean(R,0).round(3); print(name,ntr,'coverage',dict(zip(thr,m[:4])),'foreign',dict(zip(thr,m[4:])))
